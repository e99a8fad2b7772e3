"""An OpenID Connect provider on loopback, in a thread of its own: one person is at it.

Discovery, authorization, token and keys as OpenID Connect Core 1.0 wants them: it checks the
client, the redirect, the one-time code and PKCE, and signs with RS256. What it says of the
person, and what is wrong with its tokens, a test sets.
"""

import asyncio
import base64
import hashlib
import re
import secrets
import threading
import time

from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey


class IdentityProvider:
    """The provider; use it as a context manager.

    Attributes:
        issuer: Its address, which is its name.
        client_id: What it knows the ward view as.
        client_secret: And by what.
        redirect: Where alone it sends browsers back to; set it.
        person: Claims about who is at it.
        spoil: Changes the claims of the next tokens.
        sign: How they are signed.
        seen: The queries of those who came to sign in.
    """

    def __init__(self) -> None:
        self.client_id, self.client_secret = "icu-ward", "of the tests: +/&="
        self.redirect = ""
        self.person: dict[str, Any] = {
            "sub": "4711",
            "preferred_username": "dr.weiss",
            "groups": ["staff", "icu-doctors"],
        }
        self.spoil: Callable[[dict[str, Any]], None] = lambda _claims: None
        self.sign = self.rs256
        self.seen: list[dict[str, str]] = []
        self.issuer = ""
        self._key = RSAKey.generate_key(2048)
        self._published = self._key
        self._codes: dict[str, dict[str, str]] = {}

    def __enter__(self) -> "IdentityProvider":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def change_keys(self) -> None:
        """From now on another key signs, and is published."""
        self._key = self._published = RSAKey.generate_key(2048)

    def steal_keys(self) -> None:
        """From now on a key signs that is not published, under the name of the one that is."""
        stolen = RSAKey.generate_key(2048).as_dict(private=True)
        self._key = RSAKey.import_key(stolen | {"kid": self._published.thumbprint()})

    def be_good(self) -> None:
        """As it should be, again."""
        self._key, self.sign = self._published, self.rs256
        self.spoil = lambda _claims: None

    def rs256(self, claims: dict[str, Any]) -> str:
        """Signed as it should be."""
        kid = self._key.kid or self._key.thumbprint()
        return jwt.encode({"alg": "RS256", "kid": kid}, claims, self._key)

    def hs256(self, claims: dict[str, Any]) -> str:
        """Signed with what the client knows, too."""
        key = OctKey.import_key(self.client_secret.ljust(32, "0"))
        return jwt.encode({"alg": "HS256", "kid": "x"}, claims, key)

    def unsigned(self, claims: dict[str, Any]) -> str:
        """Signed by nobody."""
        _, payload, _ = self.rs256(claims).split(".")
        header = _base64(b'{"alg":"none"}')
        return f"{header}.{payload}."

    async def _begin(self) -> None:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discover)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/keys", self._keys)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        # Another site than a ward view at 127.0.0.1, as browsers see it.
        self.issuer = f"http://localhost:{port}"

    async def _discover(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        )

    async def _authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.seen.append(query)
        if (query["client_id"], query["redirect_uri"]) != (
            self.client_id,
            self.redirect,
        ):
            return web.Response(status=400, text="unknown client or redirect")
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        answer = urlencode({"code": code, "state": query["state"], "iss": self.issuer})
        # A page of the provider's, as where somebody types a password: the way back is a
        # navigation from another site.
        html = f'<a id="back" href="{self.redirect}?{answer}">back</a>'
        return web.Response(text=html, content_type="text/html")

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        pair = f"{self.client_id}:{_form(self.client_secret)}"
        given = request.headers.get("Authorization", "")
        if given != "Basic " + base64.b64encode(pair.encode()).decode():
            return web.json_response({"error": "invalid_client"}, status=401)
        query = self._codes.pop(str(form["code"]), None)
        challenge = _base64(
            hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        )
        if (
            query is None
            or form["redirect_uri"] != query["redirect_uri"]
            or challenge != query["code_challenge"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now_s = int(time.time())  # noqa: TID251 - a machine of its own
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now_s,
            "exp": now_s + 300,
            "nonce": query["nonce"],
        } | self.person
        self.spoil(claims)
        return web.json_response(
            {"token_type": "Bearer", "id_token": self.sign(claims)}
        )

    async def _keys(self, _request: web.Request) -> web.Response:
        public = self._published.as_dict(private=False)
        public |= {"kid": self._published.kid or self._published.thumbprint()}
        return web.json_response({"keys": [public | {"use": "sig", "alg": "RS256"}]})


async def come_back(url: str) -> dict[str, str]:
    """What a browser that signs in there comes back with."""
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        text = await answer.text()
    found = re.search(r'href="([^"]+)"', text)
    assert found, text
    return dict(parse_qsl(urlsplit(unescape(found[1])).query))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _form(text: str) -> str:
    return urlencode({"": text})[1:].replace("+", "%20")
