"""What HTTP itself asks of the API: errors, headers, limits, origins, sessions; no Kafka."""

import gzip
import json
import re

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import validate
from structlog.testing import capture_logs
from yarl import URL

from icu_stream import clock
from icu_stream.access.roles import Role
from icu_stream.api import document
from icu_stream.api.messages import Trace
from icu_stream.api.routes import ROUTES
from icu_stream.api.server import MAX_BODY_BYTES, create_app
from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.contracts.signals import SIGNALS
from icu_stream.contracts.vitals import Vitals
from icu_stream.settings import Settings
from tests import service


NOW = 1_795_492_541_000
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NASTY = [
    "' OR 1=1; --",
    "x'; DROP TABLE icu.alarms; --",
    "a,b=1 2\nvitals,patient_id=p hr=0",
    "../../etc/passwd",
    "%00",
    "\x00",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "p-1\r\nX-Evil: 1",
    "é" * 200,
    "\u202e",
]


class Site:
    """An API in this process."""

    def __init__(self, client: TestClient, parts: Any, tokens: dict[Role, str]) -> None:
        self.client = client
        self.parts = parts
        self.tokens = tokens

    async def ask(
        self, method: str, path: str, role: Role | None = Role.NURSE, **more: Any
    ) -> tuple[int, Any, Any]:
        """Status, headers and body, as somebody."""
        headers = more.pop("headers", {})
        if role is not None:
            headers = {"Authorization": f"Bearer {self.tokens[role]}"} | headers
        async with self.client.request(method, path, headers=headers, **more) as answer:
            data = await answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "")
            body = json.loads(data) if data and is_json else data
            return answer.status, answer.headers, body


@pytest_asyncio.fixture
async def site(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    given = {"broker": service.NOBODY_LISTENS, "data_dir": tmp_path}
    given |= getattr(request, "param", {})
    chosen = Settings(_env_file=None, **given)
    tokens = await service.make_accounts(chosen)
    parts = service.parts(chosen)
    await parts.door.look()
    async with TestClient(TestServer(create_app(parts))) as client:
        yield Site(client, parts, tokens)


def test_the_document_is_openapi_31_and_names_every_route():
    told = document.document(ROUTES)

    validate(told)
    assert told["openapi"].startswith("3.1")
    assert {
        (method.upper(), path) for path, of in told["paths"].items() for method in of
    } == {(route.method, route.path) for route in ROUTES}


def test_the_signals_of_a_query_are_those_that_there_are():
    signals = re.findall(r"'(\w+)'", str(Trace.__annotations__["signals"]))

    assert signals == [signal.code for signal in SIGNALS]


def test_the_page_for_people_fetches_nothing_and_runs_nothing():
    text, policy = document.page(document.document(ROUTES))

    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in text
    assert re.findall(r'(?:src|href)="(?!#|/v1/)', text) == []


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "kind"),
    [
        ("GET", "/v1/nothing", {}, 404, "unknown"),
        ("GET", "/", {}, 404, "unknown"),
        ("GET", "/v1/patients/nobody", {}, 404, "unknown"),
        ("PATCH", "/v1/beds", {}, 405, "method"),
        ("GET", "/v1/beds?limit=0", {}, 400, "invalid"),
        ("GET", "/v1/beds?limit=null", {}, 400, "invalid"),
        ("GET", "/v1/beds?limit=1&limit=2", {}, 400, "invalid"),
        ("GET", "/v1/beds?colour=red", {}, 400, "invalid"),
        ("GET", "/v1/beds?cursor=AAAA", {}, 404, "unknown"),
        ("GET", "/v1/alerts?state=any", {}, 503, "no-store"),
        ("GET", "/v1/patients/p-1/scores/history", {}, 503, "no-store"),
        ("POST", "/v1/patients/p-1/pause", {"json": {"reason": "x"}}, 400, "invalid"),
    ],
)
async def test_every_error_is_a_problem(
    site: Site, method: str, path: str, more: Any, status: int, kind: str
):
    answered, headers, body = await site.ask(method, path, **more)

    assert (answered, headers["Content-Type"]) == (status, "application/problem+json")
    assert (body["status"], body["type"]) == (status, f"urn:icu-stream:problem:{kind}")
    assert body["instance"] == f"urn:uuid:{headers['X-Request-Id']}"


async def test_a_method_that_is_not_there_names_those_that_are(site: Site):
    _, headers, _ = await site.ask("PUT", "/v1/session")

    assert set(headers["Allow"].split(",")) == {"GET", "HEAD", "POST", "DELETE"}


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"\xff\xfe", {}, 400),
        (b'{"reason": "x", "by": "somebody else"}', {}, 400),
        (b'{"reason": "\x00"}', {}, 400),
        (b'{"reason": "\\u0000"}', {}, 400),
        (b'{"reason": "\\ud800"}', {}, 400),
        (b"[" * 60_000, {}, 400),
        (b'{"reason": "x"}', {"Content-Type": "text/plain"}, 415),
        (gzip.compress(b'{"reason": "x"}'), {"Content-Encoding": "gzip"}, 415),
        (b" " * (MAX_BODY_BYTES + 1), {}, 413),
    ],
)
async def test_a_body_that_cannot_be_meant_is_refused(
    site: Site, data: bytes, headers: dict[str, str], status: int
):
    given = {"Content-Type": "application/json", "Idempotency-Key": "k"} | headers

    answered, _, body = await site.ask(
        "POST", "/v1/patients/p-1/pause", data=data, headers=given
    )

    assert (answered, body["status"]) == (status, status)


async def test_a_fault_of_ours_is_a_number_and_no_traceback(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(site.parts.present, "patients", None)

    with capture_logs() as log:
        status, _, body = await site.ask("GET", "/v1/beds")

    assert (status, body["type"]) == (500, "urn:icu-stream:problem:fault")
    assert "NoneType" not in json.dumps(body)
    assert [entry["instance"] for entry in log] == [body["instance"]]


async def test_every_answer_has_the_headers_that_keep_it_where_it_belongs(site: Site):
    answers = [
        await site.ask("GET", "/v1/beds"),
        await site.ask("GET", "/v1/nothing"),
        await site.ask("DELETE", "/v1/backtests/" + "0" * 32, Role.CHARGE),
        await site.ask("GET", "/v1/openapi.json", None),
    ]

    for _, headers, _ in answers:
        assert HEADERS.items() <= dict(headers).items()
        assert "Server" not in headers
        assert "Access-Control-Allow-Origin" not in headers
    assert answers[1][1]["Cache-Control"] == "no-store"
    assert answers[0][1]["Cache-Control"] == "private, no-cache"


async def test_what_has_not_changed_is_not_sent_again(site: Site):
    measure(site, "p-1", 1)
    _, headers, _ = await site.ask("GET", "/v1/beds")
    same = {"If-None-Match": f'"other", W/{headers["ETag"]}'}

    status, _, body = await site.ask("GET", "/v1/beds", headers=same)
    measure(site, "p-2", 2)
    changed, _, beds = await site.ask("GET", "/v1/beds", headers=same)

    assert (status, body) == (304, b"")
    assert (changed, [bed["bed"] for bed in beds["items"]]) == (200, ["A-1", "A-2"])


async def test_a_list_is_told_page_by_page(site: Site):
    for number in range(1, 6):
        measure(site, f"p-{number}", number)

    found, path = [], "/v1/patients?limit=2"
    while path:
        _, _, page = await site.ask("GET", path)
        found.append([one["patient_id"] for one in page["items"]])
        path = page["next"] and f"/v1/patients?limit=2&cursor={page['next']}"

    assert found == [["p-1", "p-2"], ["p-3", "p-4"], ["p-5"]]


async def test_without_a_store_the_last_minutes_are_known_and_the_rest_is_a_problem(
    site: Site,
):
    for second in range(3):
        measure(site, "p-1", 1, at_ms=clock.now_ms() - 1000 * (3 - second))
    path = "/v1/patients/p-1/vitals?signals=hr"

    status, _, known = await site.ask("GET", path)
    earlier, _, problem = await site.ask("GET", f"{path}&from={NOW}")
    nobody, _, _ = await site.ask("GET", "/v1/patients/p-2/vitals")
    empty, _, nothing = await site.ask("GET", f"{path}&from={NOW + 1}&to={NOW}")

    assert (status, earlier, nobody, empty) == (200, 503, 404, 200)
    assert known["signals"]["hr"]["values"] == [80, 80, 80]
    assert known["signals"]["hr"]["step"] is None
    assert not known["stored"]
    assert problem["type"] == "urn:icu-stream:problem:no-store"
    assert str(known["tail_from"]) in problem["detail"]
    assert nothing["signals"] == {}


async def test_a_step_has_its_extremes_and_its_last_value(site: Site):
    begin = clock.now_ms() // 60_000 * 60_000 - 60_000
    for second, hr in enumerate((80, 0, 300, 81)):
        measure(site, "p-1", 1, at_ms=begin + 1000 * second, hr=hr)

    _, _, body = await site.ask(
        "GET", f"/v1/patients/p-1/vitals?step=60000&from={begin}&to={begin + 60_000}"
    )

    assert body["signals"] == {
        "hr": {
            "unit": "/min",
            "step": 60_000,
            "times": [begin],
            "values": [81],
            "low": [0],
            "high": [300],
            "n": [4],
        }
    }


async def test_an_alarm_is_acknowledged_only_as_it_was_seen(site: Site):
    measure(site, "p-1", 1)
    raise_alarm(site, 1, State.ACTIVE)
    _, headers, _ = await site.ask("GET", f"/v1/alerts/{ALERT}")
    raise_alarm(site, 2, State.LATCHED)
    seen = {"If-Match": headers["ETag"], "Idempotency-Key": "k"}

    status, now, body = await site.ask(
        "POST", f"/v1/alerts/{ALERT}/acknowledge", headers=seen
    )

    assert (status, body["type"]) == (412, "urn:icu-stream:problem:changed")
    assert now["ETag"] != headers["ETag"]


@pytest.mark.parametrize("site", [{"api_rate": 10}], indirect=True)
async def test_who_asks_too_often_is_told_when_to_come_back(site: Site):
    answers = [await site.ask("GET", "/v1/beds") for _ in range(11)]
    other, _, _ = await site.ask("GET", "/v1/beds", Role.VIEWER)

    assert [status for status, _, _ in answers] == [200] * 10 + [429]
    _, headers, body = answers[-1]
    assert headers["RateLimit-Policy"] == '"default";q=10;w=60'
    assert headers["RateLimit"].startswith('"default";r=0;t=')
    assert 1 <= int(headers["Retry-After"]) <= 6
    assert body["type"] == "urn:icu-stream:problem:too-many"
    assert other == 200


PREFLIGHT = {"Origin": "https://board.test", "Access-Control-Request-Method": "GET"}


async def test_pages_of_other_origins_are_told_nothing(site: Site):
    status, headers, _ = await site.ask("OPTIONS", "/v1/beds", None, headers=PREFLIGHT)
    _, read, _ = await site.ask("GET", "/v1/beds", headers=PREFLIGHT)

    assert status == 405
    assert not [name for name in [*headers, *read] if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    "site", [{"api_origins": "https://board.test,https://b.test"}], indirect=True
)
async def test_pages_of_an_origin_that_was_named_may_ask(site: Site):
    status, headers, _ = await site.ask("OPTIONS", "/v1/beds", None, headers=PREFLIGHT)
    part = {"Origin": "https://board.test,https://b.test"}
    _, other, _ = await site.ask("GET", "/v1/beds", headers=part)

    assert (status, headers["Access-Control-Allow-Origin"]) == (
        204,
        PREFLIGHT["Origin"],
    )
    assert "Access-Control-Allow-Credentials" not in headers
    assert "Access-Control-Allow-Origin" not in other


@pytest.mark.parametrize("text", NASTY)
async def test_what_is_meant_to_break_out_stays_what_it_is(site: Site, text: str):
    measure(site, "p-1", 1)
    inside = URL(f"/v1/patients/{quote(text, safe='')}", encoded=True)

    answers = [
        await site.ask("GET", path, params={name: text})
        for path in ("/v1/patients", "/v1/alerts")
        for name in ("unit", "cursor", "bed", "patient_id")
    ]
    answers.append(await site.ask("GET", inside))

    for status, headers, body in answers:
        assert status in {400, 404} or body["items"] == []
        assert "X-Evil" not in headers


async def test_a_session_is_opened_used_and_ended(site: Site):
    name = service.NAMES[Role.NURSE]
    said = {"name": name.upper(), "password": service.PASSWORD}

    status, _, session = await site.ask("POST", "/v1/session", None, json=said)
    headers = {"Authorization": f"Bearer {session['token']}"}
    _, _, me = await site.ask("GET", "/v1/session", None, headers=headers)
    ended, _, _ = await site.ask("DELETE", "/v1/session", None, headers=headers)
    after, _, _ = await site.ask("GET", "/v1/session", None, headers=headers)

    assert (status, ended, after) == (201, 204, 401)
    assert (me["by"], me["role"]) == (name, "nurse")
    assert "acknowledge" in me["may"]
    assert "admit" not in me["may"]


async def test_a_wrong_name_and_a_wrong_password_are_told_alike(site: Site):
    answers = [
        await site.ask("POST", "/v1/session", None, json=said)
        for said in (
            {"name": "nobody", "password": "x"},
            {"name": service.NAMES[Role.NURSE], "password": "x"},
        )
    ]

    bodies = [{**body, "instance": ""} for _, _, body in answers]
    assert [status for status, _, _ in answers] == [401, 401]
    assert bodies[0] == bodies[1]


async def test_a_token_that_was_revoked_is_good_no_more(site: Site):
    account = await site.parts.door._accounts.find(service.NAMES[Role.NURSE])
    await site.parts.door._accounts.drop_token(account.tokens[0].id)
    await site.parts.door.look()

    status, headers, _ = await site.ask("GET", "/v1/beds")

    assert status == 401
    assert 'error="invalid_token"' in headers["WWW-Authenticate"]


async def test_no_password_and_no_token_is_in_the_log(site: Site):
    right = {"name": service.NAMES[Role.NURSE], "password": service.PASSWORD}
    wrong = {"name": "my-password-is-here", "password": "another secret one"}

    bad = {"Authorization": "Bearer icu_stolen-and-wrong"}
    half = b'{"password": "half a secret'

    with capture_logs() as entries:
        _, _, session = await site.ask("POST", "/v1/session", None, json=right)
        await site.ask("POST", "/v1/session", None, json=wrong)
        await site.ask("POST", "/v1/session", None, data=half)
        await site.ask("GET", "/v1/beds")
        await site.ask("GET", "/v1/burden")
        await site.ask("GET", "/v1/beds", None, headers=bad)

    log = str(entries)
    assert "refusal" in log
    assert "sign_in" in log
    assert "GET /v1/burden" in log
    secrets = [*site.tokens.values(), session["token"], service.PASSWORD]
    secrets += [*wrong.values(), "half a secret", "stolen-and-wrong"]
    assert [secret for secret in secrets if secret in log] == []
    assert service.PASSWORD not in repr(session)


ALERT = "p-1:spo2.desat:1795492541000"


def measure(
    site: Site, patient_id: str, number: int, *, at_ms: int = NOW, hr: float = 80
) -> None:
    """One message of a monitor."""
    vitals = Vitals(
        patient_id=patient_id, time=at_ms, bed=f"A-{number}", values={"hr": hr}
    )
    site.parts.present.measure(vitals, at_ms, 0)


def raise_alarm(site: Site, transition: int, state: State) -> None:
    """One transition of an alarm."""
    alert = Alert(
        alert_id=ALERT,
        transition=transition,
        event=Event.RAISED if transition == 1 else Event.LATCHED,
        patient_id="p-1",
        bed="A-1",
        code="spo2.desat",
        kind=Kind.PHYSIOLOGICAL,
        priority=Priority.HIGH,
        state=state,
        annunciate=True,
        onset=NOW,
        time=NOW + transition,
        text="SpO2 78 %",
    )
    site.parts.present.state(alert, NOW, 0)
