"""The gate in HTTP: what it lets through, what it keeps in a browser, what it believes."""

import json

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from icu_stream.access import accounts, passwords, store
from icu_stream.access.door import Door
from icu_stream.access.ledger import Ledger
from icu_stream.access.limiter import PAIR
from icu_stream.access.roles import Role
from icu_stream.access.sessions import Sessions
from icu_stream.settings import Settings
from icu_stream.ward.signin import Gate, about


NOBODY_LISTENS = "127.0.0.1:9"  # the discard port
HOST = "ward.test"
OWN = {"origin": f"http://{HOST}"}
PASSWORD = "correct horse battery"
POLICY = "default-src 'none'; script-src 'self'"


class Answer(NamedTuple):
    """What a browser gets."""

    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: str


class Site:
    """A gate before an application that says who asks."""

    def __init__(self, settings: Settings) -> None:
        sessions = Sessions(settings.data_dir / "sessions.json", settings.ward_idle_s)
        self.door = Door(settings, sessions, Ledger(settings), "the-token")
        self.gate = Gate(said, self.door, POLICY, settings)

    async def ask(
        self,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        client: str = "10.0.0.1",
        **headers: str,
    ) -> Answer:
        """One request."""
        path, _, query = path.partition("?")
        body = urlencode(form).encode() if form is not None else b""
        given = {"host": HOST} | headers
        if form is not None:
            given["content-type"] = "application/x-www-form-urlencoded"
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "scheme": "http",
            "server": (HOST, 80),
            "client": (client, 1),
            "headers": [(k.encode(), v.encode()) for k, v in given.items()],
        }
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.gate(scope, receive, send)
        rows = [(k.decode(), v.decode()) for k, v in sent[0]["headers"]]
        return Answer(
            sent[0]["status"],
            dict(rows),
            [value for name, value in rows if name == "set-cookie"],
            b"".join(m.get("body", b"") for m in sent[1:]).decode(),
        )

    async def sign_in(
        self, name: str = "RN Okafor", password: str = PASSWORD, **more: str
    ) -> Answer:
        """The form, filled in."""
        form = {"name": name, "password": password}
        return await self.ask("POST", "/signin", form, **(OWN | more))


async def said(scope: Scope, receive: Receive, send: Send) -> None:
    state = scope["state"]
    answer = JSONResponse(about(state["person"], state["ticket"]))
    await answer(scope, receive, send)


def cookie(answer: Answer) -> str:
    """The one cookie of an answer, as a browser sends it."""
    [text] = answer.cookies
    return text.partition(";")[0]


def settings(tmp_path: Path, **more: object) -> Settings:
    return Settings(_env_file=None, broker=NOBODY_LISTENS, data_dir=tmp_path, **more)


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """One account, a nurse's."""
    chosen = settings(tmp_path, ward_station="ICU1 desk")
    hash_ = passwords.hashed(PASSWORD)
    await store.accounts(chosen).add(accounts.new("RN Okafor", Role.NURSE, hash_, 0))
    yield Site(chosen)


async def test_a_name_and_a_password_open_a_session_kept_from_scripts(site: Site):
    answer = await site.sign_in("rn okafor")
    who = json.loads((await site.ask("GET", "/x", cookie=cookie(answer))).body)

    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(
        answer.cookies[0].split("; ")
    )
    assert "Secure" not in answer.cookies[0]  # plain HTTP
    assert (who["by"], who["role"], who["isPersonal"]) == ("RN Okafor", "nurse", True)
    assert who["left_s"] in {899, 900}


async def test_a_wrong_password_and_a_name_that_nobody_has_are_told_the_same(
    site: Site,
):
    known = await site.sign_in(password="wrong")
    unknown = await site.sign_in("RN Nobody", password="wrong")
    empty = await site.sign_in("", "")

    assert {a.status for a in (known, unknown, empty)} == {401}
    assert known.body == unknown.body.replace("RN Nobody", "RN Okafor")
    assert known.cookies == unknown.cookies == []


async def test_who_guesses_is_told_when_to_try_again(site: Site):
    statuses = [
        (await site.sign_in(password="wrong")).status for _ in range(PAIR.free + 1)
    ]
    answer = await site.sign_in(accept="application/json")
    elsewhere = await site.sign_in(client="10.0.0.2")

    assert statuses == [401] * (PAIR.free + 1)
    assert answer.status == 429  # even with the right password
    assert answer.headers["retry-after"] == "2"
    assert (
        json.loads(answer.body)["reason"] == "Too many tries. Wait 2 s, then try again."
    )
    assert elsewhere.status == 303


async def test_a_script_is_answered_in_json(site: Site):
    done = await site.sign_in(accept="application/json")
    wrong = await site.sign_in(password="wrong", accept="application/json")

    assert (done.status, done.body) == (200, "{}")
    assert done.cookies
    assert json.loads(wrong.body) == {"reason": "Name or password is wrong."}


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.test", f"http://{HOST}.x"]
)
@pytest.mark.parametrize("path", ["/signin", "/signout", "/act", "/commands"])
async def test_no_other_site_can_post(site: Site, path: str, origin: str | None):
    own = cookie(await site.sign_in())
    headers = {} if origin is None else {"origin": origin}

    answer = await site.ask("POST", path, {}, cookie=own, **headers)

    assert answer.status == 403


async def test_a_persons_session_lies_over_the_screens_and_leaves_it_there(site: Site):
    screen = cookie(await site.ask("GET", "/signin?token=the-token"))
    person = cookie(await site.sign_in(cookie=screen))
    both = f"{screen}; {person}"

    before = json.loads((await site.ask("GET", "/x", cookie=both)).body)
    out = await site.ask("POST", "/signout", cookie=both, **OWN)
    after = json.loads((await site.ask("GET", "/x", cookie=both)).body)
    off = await site.ask("POST", "/signout", cookie=screen, **OWN)
    dark = await site.ask("GET", "/x", cookie=screen)

    assert (before["by"], before["station"]) == ("RN Okafor", "ICU1 desk")
    assert out.status == off.status == 204
    assert (after["by"], after["may"], after["isScreen"]) == ("", [], True)
    assert dark.status == 401


async def test_a_cookie_of_one_kind_is_none_of_the_other(site: Site):
    screen = cookie(await site.ask("GET", "/signin?token=the-token"))
    person = cookie(await site.sign_in())

    swapped = [
        screen.replace("icu_ward", "icu_person"),
        person.replace("icu_person", "icu_ward"),
    ]

    assert [(await site.ask("GET", "/x", cookie=c)).status for c in swapped] == [
        401
    ] * 2


async def test_the_next_person_at_a_browser_ends_the_session_before(site: Site):
    first = cookie(await site.sign_in())

    await site.sign_in(cookie=first)

    assert (await site.ask("GET", "/x", cookie=first)).status == 401


async def test_an_act_is_heard_and_asking_is_none(site: Site):
    own = cookie(await site.sign_in())

    heard = await site.ask("POST", "/act", cookie=own, **OWN)
    asked = await site.ask("GET", "/act", cookie=own)

    assert json.loads(heard.body)["left_s"] in {899, 900}
    assert asked.status == 405


@pytest.mark.parametrize(
    "path", ["//evil.test", "/\\evil.test", "https://evil.test", "/a?b", "", "x"]
)
async def test_sign_in_leads_to_no_other_site(site: Site, path: str):
    form = {"name": "RN Okafor", "password": PASSWORD, "next": path}

    answer = await site.ask("POST", "/signin", form, **OWN)

    assert answer.headers["location"] == "/"


async def test_sign_in_leads_to_where_somebody_wanted_to_go(site: Site):
    form = await site.ask("GET", "/bed/p-4001")
    answer = await site.ask(
        "POST",
        "/signin",
        {"name": "RN Okafor", "password": PASSWORD, "next": "/bed/p-4001"},
        **OWN,
    )

    assert 'name="next" value="/bed/p-4001"' in form.body
    assert answer.headers["location"] == "/bed/p-4001"


async def test_what_was_typed_is_no_markup(site: Site):
    answer = await site.sign_in('"><script>', "wrong")

    assert "<script>" not in answer.body
    assert PASSWORD not in answer.body


async def test_the_pages_of_the_gate_run_no_script_and_the_others_have_their_policy(
    site: Site,
):
    own = await site.ask("GET", "/signin")
    guarded = await site.ask("GET", "/x", cookie=cookie(await site.sign_in()))

    assert "script-src" not in own.headers["content-security-policy"]
    assert "'unsafe-inline'" not in own.headers["content-security-policy"]
    assert "form-action 'self'" in own.headers["content-security-policy"]
    assert own.headers["referrer-policy"] == "same-origin"
    assert guarded.headers["content-security-policy"] == POLICY
    assert guarded.headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in guarded.headers


async def test_behind_tls_cookies_are_secure_and_the_proxys_word_is_taken(
    site: Site, tmp_path: Path
):
    behind = Site(settings(tmp_path, ward_proxy=True))
    given = {"x-forwarded-proto": "https", "x-forwarded-for": "6.6.6.6, 10.7.7.7"}

    trusted = await behind.sign_in(**given)
    not_trusted = await site.sign_in(**given)
    known = await Site(settings(tmp_path, ward_url="https://ward.test/")).sign_in()
    who = json.loads((await behind.ask("GET", "/x", cookie=cookie(trusted))).body)

    assert "Secure" in trusted.cookies[0]
    assert "max-age=" in trusted.headers["strict-transport-security"]
    assert who["station"] == "10.7.7.7"
    assert "Secure" not in not_trusted.cookies[0]
    assert "Secure" in known.cookies[0]


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({"name": "x" * 5_000}, {}),
        ({str(n): "x" for n in range(20)}, {}),
    ],
)
async def test_a_form_that_is_none_is_refused(
    site: Site, form: dict[str, str], headers: dict[str, str]
):
    answer = await site.ask("POST", "/signin", form, **(OWN | headers))

    assert answer.status == 400


async def test_accounts_that_cannot_be_read_let_nobody_in_and_say_so(
    site: Site, tmp_path: Path
):
    (tmp_path / store.FILE).chmod(0o644)

    answer = await site.sign_in()

    assert answer.status == 503
    assert "its log says why" in answer.body
