"""What each channel sends, on a real socket: its fields, and nothing of a patient beyond them."""

import asyncio
import email
import email.policy

from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from icu_stream.contracts.alerts import Event, Priority, State
from icu_stream.errors import DeliveryError
from icu_stream.pager import channels, page, signature
from icu_stream.pager.channels import KINDS, pagerduty
from icu_stream.pager.page import Action, Delivery, Line
from icu_stream.pager.posting import Post
from tests.paging import KEY, SECRET, Receiver, after, alert, receiving


RAISED = alert()
SEEN = after(RAISED, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, by="RN Okafor")
OVER = after(SEEN, Event.CLEARED, State.CLEARED)
WARD = "https://ward.example/"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
PAGES = {
    Action.TRIGGER: page.of_alert(RAISED, Action.TRIGGER, ward_url=WARD, level=1),
    Action.ACKNOWLEDGE: page.of_alert(SEEN, Action.ACKNOWLEDGE),
    Action.RESOLVE: page.of_alert(OVER, Action.RESOLVE),
    Action.DIGEST: msgspec.structs.replace(
        page.of_alert(RAISED, Action.DIGEST),
        priority=Priority.MEDIUM,
        dedup_key="digest:okafor/hook:1",
        bed="",
        alarms=[
            Line(f"p-{n}:hr.high:1", Priority.MEDIUM, f"B{n}", "x") for n in range(9)
        ],
    ),
}

# Source: PagerDuty, Events API v2, "Send an alert event", its table of fields.
PAGERDUTY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["routing_key", "event_action"],
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "maxLength": 255},
        "client": {"type": "string"},
        "client_url": {"type": "string", "format": "uri"},
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["href"],
                "properties": {"href": {"type": "string"}, "text": {"type": "string"}},
            },
        },
        "images": {"type": "array"},
        "payload": {
            "type": "object",
            "additionalProperties": False,
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {
                    "type": "string",
                    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
                },
                "component": {"type": "string"},
                "group": {"type": "string"},
                "class": {"type": "string"},
                "custom_details": {"type": "object"},
            },
        },
    },
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
    "else": {"required": ["dedup_key"], "not": {"required": ["payload"]}},
}


def channel(kind: str, table: dict[str, Any], post: Post, language: str = "en"):
    where = msgspec.convert(table, KINDS[kind].where)
    return channels.make(kind, where, post, language)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER_TEST_SECRET", SECRET)
    monkeypatch.setenv("PAGER_TEST_TOKEN", "tk_hunter2")
    monkeypatch.setenv("PAGER_TEST_KEY", ROUTING_KEY)


def tables(url: str) -> dict[str, dict[str, Any]]:
    """Every channel that speaks HTTP."""
    return {
        "webhook": {"url": f"{url}hook", "secret": {"env": "PAGER_TEST_SECRET"}},
        "pagerduty": {"url": f"{url}pd", "routing_key": {"env": "PAGER_TEST_KEY"}},
        "ntfy": {
            "url": url,
            "topic": {"env": "PAGER_TEST_SECRET"},
            "token": {"env": "PAGER_TEST_TOKEN"},
        },
    }


async def sent(kind: str, action: Action, language: str = "en"):
    post = Post(5)
    async with receiving() as receiver:
        made = channel(kind, tables(receiver.url)[kind], post, language)
        await made.send(Delivery("page_1", PAGES[action]))
        await post.close()
        [got] = receiver.got
    return got


@pytest.mark.parametrize("action", list(Action))
async def test_a_webhook_is_signed_and_says_what_the_page_says(secrets, action):
    got = await sent("webhook", action)

    now_ms = int(got.headers[signature.TIMESTAMP]) * 1000
    assert signature.flaw(KEY, got.headers, got.raw, now_ms) is None
    assert got.id == got.data["delivery"] == "page_1"
    assert got.body["type"] == f"alarm.{action}"
    assert got.data["dedup_key"] == PAGES[action].dedup_key
    if action is Action.TRIGGER:
        assert got.data == {
            "action": "trigger",
            "dedup_key": "p-0007:spo2.desat:1795492541000",
            "priority": "high",
            "kind": "physiological",
            "bed": "ICU1-07",
            "code": "spo2.desat",
            "text": "SpO₂ 79 %, below 80 (usual 94)",
            "onset": 1_795_492_541_000,
            "time": 1_795_492_556_000,
            "level": 1,
            "link": "https://ward.example/bed/p-0007",
            "delivery": "page_1",
            "title": "HIGH ICU1-07: SpO₂ 79 %, below 80 (usual 94)",
        }


@pytest.mark.parametrize("action", list(Action))
async def test_an_event_of_pagerduty_has_the_fields_that_it_names(secrets, action):
    got = await sent("pagerduty", action)

    jsonschema.Draft202012Validator(PAGERDUTY).validate(got.body)
    assert got.body["dedup_key"] == PAGES[action].dedup_key
    wanted = "trigger" if action is Action.DIGEST else action
    assert got.body["event_action"] == wanted
    if action is Action.TRIGGER:
        assert got.body["payload"]["severity"] == "critical"
        assert got.body["payload"]["source"] == "ICU1-07"


def test_what_is_too_long_for_pagerduty_is_cut():
    long = msgspec.structs.replace(PAGES[Action.TRIGGER], text="x" * 2000)

    event = pagerduty.payload(long, ROUTING_KEY, "en")

    jsonschema.Draft202012Validator(PAGERDUTY).validate(event)


async def test_a_message_of_ntfy_is_loud_until_the_alarm_is_seen_and_replaces_itself(
    secrets,
):
    loud, seen, over = [
        await sent("ntfy", action)
        for action in (Action.TRIGGER, Action.ACKNOWLEDGE, Action.RESOLVE)
    ]

    assert [got.body["priority"] for got in (loud, seen, over)] == [5, 2, 2]
    assert len({got.body["sequence_id"] for got in (loud, seen, over)}) == 1
    assert loud.body["click"] == "https://ward.example/bed/p-0007"
    assert loud.headers["authorization"] == "Bearer tk_hunter2"
    assert seen.body["title"].startswith("seen by RN Okafor ICU1-07")


async def test_the_words_around_a_sentence_are_in_the_wards_language(secrets):
    got = await sent("ntfy", Action.RESOLVE, "de")

    assert got.body["title"].startswith("vorbei ICU1-07")


@pytest.mark.parametrize("kind", ["webhook", "pagerduty", "ntfy"])
@pytest.mark.parametrize(
    ("answer", "retry_after_s", "is_gone"),
    [
        ((429, {"Retry-After": "7"}), 7.0, False),
        (500, 0.0, False),
        ("hang", 0.0, False),
        ("reset", 0.0, False),
        (302, None, False),
        (401, None, False),
        (410, None, True),
    ],
)
async def test_every_channel_judges_answers_by_the_one_table(
    secrets, kind, answer, retry_after_s, is_gone
):
    post = Post(0.3)
    async with receiving() as receiver:
        receiver.act = lambda _: answer
        made = channel(kind, tables(receiver.url)[kind], post)
        with pytest.raises(DeliveryError) as caught:
            await made.send(Delivery("page_1", PAGES[Action.TRIGGER]))
        await post.close()

    assert caught.value.retry_after_s == retry_after_s
    assert caught.value.is_gone is is_gone
    assert receiver.url not in str(caught.value)


async def test_a_target_that_is_not_there_is_tried_again(secrets):
    post = Post(1)
    receiver = Receiver()
    made = channel("webhook", tables(receiver.url)["webhook"], post)

    with pytest.raises(DeliveryError) as caught:
        await made.send(Delivery("page_1", PAGES[Action.TRIGGER]))
    await post.close()

    assert caught.value.retry_after_s == 0


class MailServer:
    """SMTP on loopback, as much of it as a client needs; keeps the mails."""

    def __init__(self, reply: str = "250 taken") -> None:
        self.mails: list[bytes] = []
        self._reply = reply

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                mail = b""
                while (text := await reader.readline()) != b".\r\n":
                    mail += text
                self.mails.append(mail)
                writer.write(b"250 kept\r\n")
            elif word == b"RCPT":
                writer.write(self._reply.encode() + b"\r\n")
            elif word == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.close()


def mail_table(port: int) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "to": "okafor@hospital.example",
        "from": "pager@hospital.example",
    }


async def test_mails_about_one_alarm_are_one_thread_and_each_has_its_delivery_as_id():
    server, post = MailServer(), Post(5)
    async with server as port:
        made = channel("email", mail_table(port), post)
        for number, action in enumerate((Action.TRIGGER, Action.RESOLVE)):
            await made.send(Delivery(f"page_{number}", PAGES[action]))

    first, last = (
        email.message_from_bytes(mail, policy=email.policy.default)
        for mail in server.mails
    )
    assert first["Subject"] == "HIGH ICU1-07: SpO₂ 79 %, below 80 (usual 94)"
    assert first["Message-ID"] == "<page_0@hospital.example>"
    assert first["References"] == last["References"]
    assert "https://ward.example/bed/p-0007" in first.get_content()


@pytest.mark.parametrize(
    ("reply", "retry_after_s"), [("451 busy", 0.0), ("550 nobody here", None)]
)
async def test_replies_of_mail_servers_are_judged_by_the_same_table(
    reply, retry_after_s
):
    async with MailServer(reply) as port:
        made = channel("email", mail_table(port), Post(5))
        with pytest.raises(DeliveryError) as caught:
            await made.send(Delivery("page_1", PAGES[Action.TRIGGER]))

    assert caught.value.retry_after_s == retry_after_s


# Apprise 2.3 uses it when its services are loaded; without it, it does without.
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_apprise_sends_to_any_of_its_services(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    post = Post(5)
    async with receiving() as receiver:
        place = tmp_path / "address"
        place.write_text(f"json://127.0.0.1:{receiver.port}/long-tail")
        made = channel("apprise", {"url": {"file": str(place)}}, post)
        await made.send(Delivery("page_1", PAGES[Action.TRIGGER]))
        receiver.act = lambda _: 500
        with pytest.raises(DeliveryError) as caught:
            await made.send(Delivery("page_1", PAGES[Action.TRIGGER]))

    assert receiver.got[0].body["title"].startswith("HIGH ICU1-07")
    assert caught.value.retry_after_s == 0
    assert capfd.readouterr() == ("", "")  # its own log would hold the address


def test_a_page_holds_no_word_of_the_explanation():
    """Explanations hold other values of the patient; a page leaves the hospital."""
    told = msgspec.to_builtins(PAGES[Action.TRIGGER])

    assert set(told) == {
        "action",
        "dedup_key",
        "priority",
        "kind",
        "bed",
        "code",
        "text",
        "onset",
        "time",
        "level",
        "link",
    }
