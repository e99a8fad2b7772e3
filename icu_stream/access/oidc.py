"""Sign-in by the hospital's own identity provider: OpenID Connect, code flow with PKCE.

::

    browser -> /start     a state, kept in a cookie of this browser for ten minutes
            -> provider   with the state, a nonce and the hash of a verifier
            -> /done      with a code and the state: the cookie must say the same
    we      -> provider   the code and the verifier, for an ID token
                          signature, issuer, audience, age and nonce must be right

Nothing of a sign-in under way is kept here: nonce and verifier are made from the state with
a secret of this process, so that nobody can fill its memory. The provider is always told to
ask who sits there (`prompt=login`): at a shared screen the last person may be signed in.

Sources: OpenID Connect Core 1.0, 3.1; RFC 7636 (PKCE); RFC 9207 (issuer in the answer).
"""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from icu_stream import clock
from icu_stream.access.roles import Role
from icu_stream.errors import ProviderError
from icu_stream.settings import Settings


STARTED_S = 600
DONE_PATH = "signin/oidc/done"
_TIMEOUT_S = 5.0
_MAX_BYTES = 262_144
_KNOWN_S = 3600.0  # a provider's addresses and keys are asked for anew after so long
_KEYS_S = 30.0  # and for a key that is not known, at most so often
_LEEWAY_S = 60  # of the provider's clock and ours
# Asymmetric alone: whoever knows the client's secret must not be able to make a token.
_ALGORITHMS = ("RS256", "PS256", "ES256")
_NAME = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")
# Of somebody in two groups, the role that may most.
_RANKS = (Role.CHARGE, Role.PHYSICIAN, Role.NURSE, Role.ENGINEER, Role.VIEWER)


class Identity(NamedTuple):
    """Who somebody is, as the provider says."""

    name: str
    role: Role


class Start(NamedTuple):
    """Where the browser goes, and what it keeps meanwhile."""

    url: str
    state: str


class _Known(NamedTuple):
    at_s: float
    document: dict[str, Any]


class Provider:
    """One identity provider.

    Args:
        settings: `oidc_*` and `ward_url`.
        now_ms: The clock.
    """

    def __init__(
        self, settings: Settings, now_ms: Callable[[], int] = clock.now_ms
    ) -> None:
        self._settings = settings
        self._issuer = settings.oidc_issuer or ""
        self._client_id = settings.oidc_client_id or ""
        self._redirect = (settings.ward_url or "") + DONE_PATH
        self._now_ms = now_ms
        self._secret = secrets.token_bytes(32)
        self._asking = asyncio.Lock()
        self._places: _Known | None = None
        self._keys: _Known | None = None

    @property
    def issuer(self) -> str:
        """Its name."""
        return self._issuer

    async def start(self) -> Start:
        """Begin a sign-in.

        Raises:
            ProviderError: The provider does not answer as it must.
        """
        places = await self._discovered()
        until_s = self._now_ms() // 1000 + STARTED_S
        state = f"{until_s}.{secrets.token_urlsafe(24)}"
        challenge = hashlib.sha256(self._made("verifier", state).encode()).digest()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._client_id,
                "redirect_uri": self._redirect,
                "scope": self._settings.oidc_scopes,
                "state": state,
                "nonce": self._made("nonce", state),
                "code_challenge": _base64(challenge),
                "code_challenge_method": "S256",
                "prompt": "login",
            },
            quote_via=quote,
        )
        address = places["authorization_endpoint"]
        return Start(f"{address}{'&' if '?' in address else '?'}{query}", state)

    async def finish(self, answer: Mapping[str, str], state: str) -> Identity:
        """End a sign-in.

        Args:
            answer: The query with which the browser came back.
            state: What the browser kept.

        Raises:
            ProviderError: Somebody is not let in, and why.
        """
        self._require_ours(answer, state)
        places = await self._discovered()
        body = {
            "grant_type": "authorization_code",
            "code": answer.get("code", ""),
            "redirect_uri": self._redirect,
            "code_verifier": self._made("verifier", state),
        }
        tokens = await self._exchanged(places, body)
        claims = await self._claims(tokens.get("id_token"), self._made("nonce", state))
        return self._identity(claims)

    def _require_ours(self, answer: Mapping[str, str], state: str) -> None:
        given = answer.get("state", "")
        until_s = state.partition(".")[0]
        if not state or not hmac.compare_digest(given.encode(), state.encode()):
            msg = "this sign-in was not begun in this browser: begin again"
            raise ProviderError(msg)
        if not until_s.isdecimal() or self._now_ms() // 1000 > int(until_s):
            msg = "this sign-in took longer than ten minutes: begin again"
            raise ProviderError(msg)
        if answer.get("iss", self._issuer) != self._issuer:
            msg = "the answer is another provider's than ICU_OIDC_ISSUER: begin again"
            raise ProviderError(msg)
        if "error" in answer:
            # Its description is free text of the address: not shown.
            what = re.sub(r"[^a-z_]", "", answer["error"])[:40]
            msg = f"the identity provider refused: {what or 'no reason'}"
            raise ProviderError(msg)
        if not answer.get("code"):
            msg = "the identity provider sent no code: begin again"
            raise ProviderError(msg)

    async def _discovered(self) -> dict[str, Any]:
        """Where the provider's endpoints are."""
        async with self._asking:
            if self._places is None or self._is_old(self._places, _KNOWN_S):
                base = self._issuer.rstrip("/")
                url = f"{base}/.well-known/openid-configuration"
                document = await self._fetched("GET", url)
                if document.get("issuer") != self._issuer:
                    msg = (
                        f"the provider at {self._issuer} calls itself "
                        f"{document.get('issuer')!r}: set ICU_OIDC_ISSUER to that, letter "
                        "for letter"
                    )
                    raise ProviderError(msg)
                names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                if lacks := [n for n in names if not isinstance(document.get(n), str)]:
                    msg = f"the provider at {self._issuer} has no {', '.join(lacks)}"
                    raise ProviderError(msg)
                self._places = _Known(clock.monotonic_s(), document)
            return self._places.document

    async def _exchanged(
        self, places: dict[str, Any], body: dict[str, str]
    ) -> dict[str, Any]:
        """The tokens for a code."""
        secret = self._settings.oidc_client_secret
        headers = {}
        if secret is None:
            body = body | {"client_id": self._client_id}
        else:
            plain = secret.get_secret_value()
            # RFC 8414: a provider that does not say, takes the header.
            known = places.get("token_endpoint_auth_methods_supported")
            if known and "client_secret_basic" not in known:
                body = body | {"client_id": self._client_id, "client_secret": plain}
            else:
                # RFC 6749, 2.3.1: both are form-encoded first.
                pair = f"{quote(self._client_id, '')}:{quote(plain, '')}"
                coded = base64.b64encode(pair.encode()).decode()
                headers = {"Authorization": f"Basic {coded}"}
        return await self._fetched("POST", places["token_endpoint"], body, headers)

    async def _claims(self, token: object, nonce: str) -> dict[str, Any]:
        """What an ID token says, if it is the provider's, for us, now and for this browser."""
        if not isinstance(token, str):
            msg = "the identity provider sent no ID token: ICU_OIDC_SCOPES wants openid"
            raise ProviderError(msg)
        try:
            decoded = await self._verified(token)
            now_s = self._now_ms() // 1000
            jwt.JWTClaimsRegistry(
                now=now_s,
                leeway=_LEEWAY_S,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(decoded.claims)
        except (JoseError, ValueError) as error:
            why = getattr(error, "description", "") or type(error).__name__
            msg = f"the identity provider's ID token is not valid: {why}"
            raise ProviderError(msg) from error
        claims: dict[str, Any] = decoded.claims
        if claims.get("azp", self._client_id) != self._client_id:
            msg = "the identity provider's ID token was made for somebody else (azp)"
            raise ProviderError(msg)
        return claims

    async def _verified(self, token: str) -> jwt.Token:
        keys = await self._key_set(_KNOWN_S)
        try:
            return jwt.decode(token, keys, algorithms=_ALGORITHMS)
        except InvalidKeyIdError:
            # The provider has changed its keys since we asked.
            return jwt.decode(
                token, await self._key_set(_KEYS_S), algorithms=_ALGORITHMS
            )

    async def _key_set(self, oldest_s: float) -> KeySet:
        places = await self._discovered()
        async with self._asking:
            if self._keys is None or self._is_old(self._keys, oldest_s):
                document = await self._fetched("GET", places["jwks_uri"])
                self._keys = _Known(clock.monotonic_s(), document)
            keys = self._keys.document.get("keys")
        if not isinstance(keys, list):
            msg = "the identity provider's keys are no key set"
            raise ProviderError(msg)
        return KeySet.import_key_set({"keys": keys})

    def _identity(self, claims: dict[str, Any]) -> Identity:
        name_claim = self._settings.oidc_name_claim
        name = claims.get(name_claim)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            msg = (
                f"the ID token's claim {name_claim!r} is no name of 1 to 64 ASCII "
                "characters: see ICU_OIDC_NAME_CLAIM"
            )
            raise ProviderError(msg)
        role_claim = self._settings.oidc_role_claim
        groups = _inward(claims, role_claim)
        if groups is None:
            msg = (
                f"the ID token has no claim {role_claim!r}: let the provider put it "
                "there, or set ICU_OIDC_ROLE_CLAIM"
            )
            raise ProviderError(msg)
        listed = groups if isinstance(groups, list) else [groups]
        roles = self._settings.oidc_roles
        given = {roles[group] for group in listed if group in roles}
        for role in _RANKS:
            if role.value in given:
                return Identity(name, role)
        msg = f"{name} has no role on this ward: none of their groups is in ICU_OIDC_ROLES"
        raise ProviderError(msg)

    async def _fetched(
        self,
        method: str,
        url: str,
        body: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """A JSON object of the provider's; what it says against a request is not shown."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.request(
                    method, url, data=body, headers=headers, allow_redirects=False
                ) as answer,
            ):
                text = await answer.content.read(_MAX_BYTES)
                if answer.status != 200:
                    what = _error_code(text)
                    msg = (
                        f"the identity provider answers {answer.status}{what} at {url}"
                    )
                    raise ProviderError(msg)
                return msgspec.json.decode(text, type=dict[str, Any])
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = str(error) or type(error).__name__
            msg = f"the identity provider does not answer: {why}"
            raise ProviderError(msg) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            msg = f"the identity provider does not answer in JSON at {url}"
            raise ProviderError(msg) from error

    def _made(self, what: str, state: str) -> str:
        """A value that belongs to a state and that nobody else can make; 43 characters."""
        text = f"{what} {state}".encode()
        return _base64(hmac.digest(self._secret, text, "sha256"))

    @staticmethod
    def _is_old(known: _Known, oldest_s: float) -> bool:
        return clock.monotonic_s() - known.at_s > oldest_s


def _inward(claims: dict[str, Any], path: str) -> Any:
    """A claim by its name, or by a path into objects: `realm_access.roles`."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _error_code(text: bytes) -> str:
    """The code of RFC 6749, 5.2, if there is one."""
    try:
        code = msgspec.json.decode(text, type=dict[str, Any]).get("error", "")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return f" ({code[:40]})" if isinstance(code, str) and code else ""


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
