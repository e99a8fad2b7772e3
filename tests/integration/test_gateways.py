"""The gateways on a real Kafka: hostile clients, outages, TLS, and a whole way through."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import os
import resource
import socket
import ssl
import time

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from aiohttp.test_utils import TestClient, TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome
from pydantic import SecretStr

from icu_stream import bus
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.vitals import Vitals
from icu_stream.gateways import inlet, stay
from icu_stream.gateways.fhir_server import Desk
from icu_stream.gateways.gauges import Tally
from icu_stream.gateways.mllp import Frame, Reply
from icu_stream.gateways.monitors import Monitors
from icu_stream.gateways.pcd01 import Options
from icu_stream.settings import Settings
from icu_stream.sources import readers
from icu_stream.storage import intake, migrate, postgres
from icu_stream.storage.series import PostgresSeries
from icu_stream.storage.trail import PostgresTrail
from tests.gateway import Gateway
from tests.integration import replica
from tests.kafka import Kafka, free_port
from tests.monitor import AlarmManager, Monitor, flood, framed, message
from tests.postgres import PASSWORD, Postgres
from tests.unit.gateways.test_pcd04 import alert
from tests.worker import Worker


TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def site(module_kafka: Kafka) -> Settings:
    """One hospital's settings: small limits, so that they are reached."""
    return module_kafka.settings(
        hl7_connections=200,
        hl7_message_s=1.0,
        hl7_max_bytes=262_144,
        fhir_token=TOKEN,
        fhir_max_bytes=65_536,
    )


@pytest.fixture(scope="module")
def hl7(site: Settings) -> Iterator[Gateway]:
    with Gateway("hl7", site) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def fhir(site: Settings) -> Iterator[Gateway]:
    with Gateway("fhir", site) as gateway:
        yield gateway


async def kept(site: Settings, patient_id: str) -> list[Vitals]:
    """What Kafka has of a patient, in its order."""
    log = await replica.log_of(site)
    key = patient_id.encode()
    return [msgspec.json.decode(r.value, type=Vitals) for r in log if r.key == key]


async def letters(site: Settings) -> list[tuple[dict[str, str], bytes]]:
    """The dead letters: headers and value."""
    name = site.topic_prefix + topics.DEAD_LETTERS.name
    return [
        ({k: v.decode() for k, v in r.headers}, r.value)
        for r in await replica.read(site, name)
    ]


# --- hostile clients ---------------------------------------------------------------------


async def garbage(port: int) -> None:
    """A megabyte of anything but the beginning of a frame."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError):
        for _ in range(16):
            writer.write(os.urandom(65_536).replace(b"\x0b", b"x"))
            await writer.drain()
        await reader.read()
    writer.transport.abort()


async def halves(port: int) -> None:
    """Frames that break off, and one that never ends."""
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x0bMSH|^~\\&|half")
        writer.close()
        await writer.wait_closed()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x0bMSH|^~\\&|half" * 100)
    with contextlib.suppress(OSError):
        assert await reader.read() == b""  # let go, without an answer
    writer.transport.abort()


async def too_long(port: int) -> str:
    """Ten megabytes in one frame; the answer, if it could be read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = message("p-0666", 1_772_348_400_000, {"hr": 1}, "c-long")
    answer = b""
    with contextlib.suppress(OSError):
        writer.write(framed(body + b"NTE|" + b"x" * 10_000_000))
        await writer.drain()
    with contextlib.suppress(OSError):
        answer = await reader.read()
    writer.transport.abort()
    return answer.decode()


async def slow(port: int) -> float:
    """A byte now and then; seconds until it was let go."""
    begin = time.monotonic()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError):
        for byte in framed(message("p-0666", 1_772_348_400_000, {"hr": 1}, "c-slow")):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.1)
    writer.transport.abort()
    return time.monotonic() - begin


async def deaf(port: int) -> None:
    """Sends and sends, and reads no answer."""
    loop = asyncio.get_running_loop()
    body = framed(message("p-0667", 1_772_348_400_000, {"hr": 1}, "c-deaf"))
    with socket.socket() as sock:
        # What a small window does not take stays with the gateway.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(20):
                while True:
                    await loop.sock_sendall(sock, body * 20)


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may open 4,096 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_bad_clients_never_disturb_a_good_one(
    hl7: Gateway, site: Settings, many_files: None
):
    monitor = Monitor(hl7.port, source="127.0.0.2")
    crowd: list[socket.socket] = []

    async def misbehave() -> str:
        _, _, long_answer = await asyncio.gather(
            garbage(hl7.port), halves(hl7.port), too_long(hl7.port)
        )
        crowd.extend(await asyncio.to_thread(flood, hl7.port, 1_000))
        return long_answer

    bad = asyncio.ensure_future(misbehave())
    answers: list[str] = []
    longest_s = 0.0
    begin_ms = 1_772_348_400_000
    try:
        while len(answers) < 300 or not bad.done():
            number = len(answers)
            body = message(
                "p-0001", begin_ms + 1_000 * number, {"hr": number % 300}, f"c-{number}"
            )
            sent = time.monotonic()
            answers.append(await monitor.send(body))
            longest_s = max(longest_s, time.monotonic() - sent)
        long_answer = bad.result()
        late = Monitor(hl7.port, source="127.0.0.3")
        newcomer = await late.send(message("p-0002", begin_ms, {"hr": 80}, "c-new"))
        late.close()
    finally:
        bad.cancel()
        for connection in crowd:
            connection.close()
        monitor.close()

    # Each answered, at the first try, and in Kafka exactly as sent and in that order.
    assert monitor.tries == len(answers)
    for number, answer in enumerate(answers):
        assert f"\rMSA|CA|c-{number}\r" in answer
    assert [(v.time, v.values) for v in await kept(site, "p-0001")] == [
        (begin_ms + 1_000 * n, {"hr": n % 300}) for n in range(len(answers))
    ]
    assert longest_s < 10.0
    assert "\rMSA|CA|c-new\r" in newcomer
    # The bad ones were let go, and nothing of them was kept.
    assert (
        not long_answer or "MSA|CR|c-long|MSH: longer than 262144 bytes" in long_answer
    )
    assert await kept(site, "p-0666") == []
    for why in ("garbage", "half_frame", "too_long", "crowded"):
        assert hl7.metric(trouble(why))


async def test_a_client_that_is_slow_or_deaf_is_let_go(hl7: Gateway, site: Settings):
    before = hl7.metric(trouble("slow"))

    slow_s, _ = await asyncio.gather(slow(hl7.port), deaf(hl7.port))

    # hl7_message_s is 1 s here.
    assert 1.0 < slow_s < 10.0
    assert hl7.metric(trouble("slow")) == before + 2
    assert await kept(site, "p-0666") == []


def trouble(why: str) -> str:
    return f'icu_gateway_troubles_total{{gateway="hl7",why="{why}"}}'


# --- what is refused ---------------------------------------------------------------------


async def test_what_cannot_be_read_is_refused_and_kept_without_a_name(
    hl7: Gateway, site: Settings
):
    monitor = Monitor(hl7.port)
    good = message("p-0003", 1_772_348_400_000, {"hr": 80}, "c-1").decode()

    nobody = await monitor.ask(good.replace("p-0003", "").encode())
    order = await monitor.ask(good.replace("ORU^R01^ORU_R01", "ORM^O01").encode())
    rubbish = await monitor.ask(b"Erika Mustermann, geb. 1956")
    monitor.close()

    assert "MSA|CE|c-1|PID-3: no identifier" in nobody
    assert "ERR||PID^1^3|101^Required field missing^HL70357|E" in nobody
    assert "MSA|CR|c-1|MSH-9" in order
    assert "MSA|AR||MSH: no HL7 version 2 message" in rubbish
    dead = [(h, v) for h, v in await letters(site) if h["topic"] == "gateway-hl7"]
    assert [h["reason"][:6] for h, _ in dead][-3:] == ["PID-3:", "MSH-9:", "MSH: n"]
    assert dead[-1][1] == b""
    assert b"147842^MDC_ECG_HEART_RATE^MDC" in dead[-3][1]
    everything = repr(dead) + hl7.log()
    for personal in ("Mustermann", "Erika", "19560301", "Heidestr", "Doktor"):
        assert personal not in everything


async def test_the_gateway_says_what_it_does(hl7: Gateway):
    monitor = Monitor(hl7.port)
    data = message("p-0004", 1_772_348_400_000, {"hr": 80}, "c-1").decode()
    await monitor.ask((data + "OBX|9|NM|1^SITE_INVENTION^L|1|5|%|||||F\r").encode())
    monitor.close()

    assert hl7.get("/healthz")[0] == 200
    assert hl7.get("/readyz") == (200, '{"status":"ready"}')
    assert hl7.metric('icu_gateway_messages_total{gateway="hl7",outcome="accepted"}')
    unknown = (
        'icu_gateway_values_passed_over_total{gateway="hl7",reason="code_unknown"}'
    )
    assert hl7.metric(unknown) == 1
    assert "1^SITE_INVENTION^L" in hl7.log()


async def test_a_cuffs_reading_that_is_repeated_is_written_once(
    hl7: Gateway, site: Settings
):
    cuff = "150301^MDC_PRESS_CUFF_SYS^MDC|1.1.9.1|147|266016^MDC_DIM_MMHG^MDC"
    monitor = Monitor(hl7.port)
    for second in range(3):
        data = message("p-0005", 1_772_348_400_000 + 1_000 * second, {"hr": 80}, "c-1")
        data += f"OBX|9|NM|{cuff}|||||R|||20260301065500+0000\r".encode()
        await monitor.ask(data)
    monitor.close()

    found = await kept(site, "p-0005")

    assert [v.device for v in found] == ["mon-17", "mon-17/nibp", "mon-17", "mon-17"]


async def test_admission_becomes_a_command(hl7: Gateway, site: Settings):
    data = message("p-0006", 1_772_348_400_000, {"hr": 80}, "c-adt").decode()
    monitor = Monitor(hl7.port)
    await monitor.ask(data.replace("ORU^R01^ORU_R01", "ADT^A01^ADT_A01").encode())
    monitor.close()

    commands = await replica.read(site, site.topic_prefix + topics.COMMANDS.name)

    [command] = [json.loads(r.value) for r in commands if r.key == b"p-0006"]
    assert (command["type"], command["bed"]) == ("admit", "ICU1-07")
    assert "Mustermann" not in str(command)


async def test_a_gateway_that_is_killed_loses_nothing(site: Settings):
    begin_ms = 1_772_348_400_000
    with Gateway("hl7", site, free_port()) as gateway:
        monitor = Monitor(gateway.port, timeout_s=2)

        async def send() -> None:
            for n in range(400):
                body = message(
                    "p-0007", begin_ms + 1_000 * n, {"hr": n % 300}, f"c-{n}"
                )
                assert f"MSA|CA|c-{n}\r" in await monitor.send(body)

        sending = asyncio.ensure_future(send())
        for tries in (100, 200, 300):
            await until(lambda least=tries: monitor.tries > least)
            gateway.kill()
            await asyncio.to_thread(gateway.start)
        await sending
        monitor.close()

    found = [(v.time, v.values["hr"]) for v in await kept(site, "p-0007")]
    wanted = [(begin_ms + 1_000 * n, n % 300) for n in range(400)]
    # What came twice came one after the other, which the worker knows for a duplicate.
    assert [
        row for i, row in enumerate(found) if i == 0 or row != found[i - 1]
    ] == wanted


# --- FHIR --------------------------------------------------------------------------------


def observation(patient_id: str, value: float = 82) -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"identifier": {"value": patient_id}},
        "effectiveDateTime": "2026-03-01T08:00:00Z",
        "valueQuantity": {
            "value": value,
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
    }


async def test_observations_come_in_over_http(fhir: Gateway, site: Settings):
    base = f"http://127.0.0.1:{fhir.port}"
    batch = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"resource": observation("p-0011", rate)} for rate in (81, 83)],
    }
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/fhir+json",
    }
    async with aiohttp.ClientSession(base, headers=headers) as client:
        one = await client.post("/Observation", data=json.dumps(observation("p-0010")))
        many = await client.post("/", data=json.dumps(batch))

        assert (one.status, many.status) == (201, 200)
        assert one.headers["Location"].startswith("/Observation/")
        assert one.content_type == "application/fhir+json"
        OperationOutcome.model_validate(await one.json())
        Bundle.model_validate(await many.json())
    assert [v.values for v in await kept(site, "p-0010")] == [{"hr": 82}]
    # Of two values at one moment the first counts.
    assert [v.values for v in await kept(site, "p-0011")] == [{"hr": 81}]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"headers": {}}, 401),
        ({"headers": {"Authorization": "Bearer wrong"}}, 401),
        ({"headers": {"Authorization": f"Basic {TOKEN}"}}, 401),
        ({"headers": {"Content-Type": "text/xml"}}, 415),
        ({"data": "x" * 70_000}, 413),
        ({"data": "{"}, 400),
        ({"data": json.dumps(observation(""))}, 422),
        ({"path": "/Patient"}, 404),
        ({"method": "DELETE"}, 405),
        ({"path": "/"}, 400),
    ],
)
async def test_a_request_that_is_not_taken_is_told_why(
    fhir: Gateway, request_: dict[str, object], status: int
):
    usual: dict[str, object] = {
        "method": "POST",
        "path": "/Observation",
        "data": json.dumps(observation("p-0012")),
    }
    chosen = usual | request_
    token = {} if status == 401 else {"Authorization": f"Bearer {TOKEN}"}
    kind = {"Content-Type": "application/fhir+json"}
    headers = kind | token | chosen.pop("headers", {})  # type: ignore[operator]
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{fhir.port}") as client,
        client.request(
            str(chosen["method"]),
            str(chosen["path"]),
            data=chosen["data"],
            headers=headers,
        ) as answer,
    ):
        body = await answer.json()

    assert answer.status == status
    OperationOutcome.model_validate(body)


# --- TLS ---------------------------------------------------------------------------------


def certificate(
    directory: Path,
    name: str,
    by: "tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None" = None,
) -> "tuple[x509.Certificate, ec.EllipticCurvePrivateKey]":
    """A certificate for 127.0.0.1, of an authority or of itself; its files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - validity is by the wall clock
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[0].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.BasicConstraints(ca=by is None, path_length=None), critical=True
        )
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(by[1] if by else key, hashes.SHA256())
    )
    (directory / f"{name}.pem").write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
    )
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made, key


async def test_with_tls_only_a_monitor_with_the_hospitals_certificate_is_heard(
    site: Settings, tmp_path: Path
):
    authority = certificate(tmp_path, "authority")
    certificate(tmp_path, "gateway", authority)
    certificate(tmp_path, "monitor", authority)
    certificate(tmp_path, "stranger")
    secure = site.model_copy(
        update={
            "hl7_tls_cert": tmp_path / "gateway.pem",
            "hl7_tls_key": tmp_path / "gateway.key",
            "hl7_tls_clients": tmp_path / "authority.pem",
            "data_dir": tmp_path,
        }
    )

    def context(name: str | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
        if name is not None:
            made.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
        return made

    body = message("p-0020", 1_772_348_400_000, {"hr": 80}, "c-tls")
    with Gateway("hl7", secure) as gateway:
        known = Monitor(gateway.port, tls=context("monitor"))
        assert "MSA|CA|c-tls" in await known.ask(body)
        # A crowd that never agrees on anything cannot keep it out.
        crowd = await asyncio.to_thread(flood, gateway.port, 500)
        for tls in (context(None), context("stranger"), None):
            unknown = Monitor(gateway.port, tls=tls)
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await unknown.ask(body)
            unknown.close()
        assert "MSA|CA|c-tls" in await known.ask(body)
        newcomer = Monitor(gateway.port, tls=context("monitor"))
        assert "MSA|CA|c-tls" in await newcomer.ask(body)
        for connection in crowd:
            connection.close()
        known.close()
        newcomer.close()


# --- alerts out --------------------------------------------------------------------------


async def publish(site: Settings, alerts: list[Alert]) -> None:
    producer = bus.producer(site)
    await producer.start()
    for one in alerts:
        await producer.send_and_wait(
            site.topic_prefix + topics.ALERTS.name,
            msgspec.json.encode(one),
            key=one.patient_id.encode(),
        )
    await producer.stop()


async def until(claim, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def ids(received: list[str]) -> list[str]:
    """The reports, by OBR-3, in their order, without what came again."""
    found = [
        line.split("|")[3].split("^")[0]
        for text in received
        for line in text.split("\r")
        if line.startswith("OBR")
    ]
    return list(dict.fromkeys(found))


async def test_an_alarm_manager_that_fails_gets_every_alert_in_the_end(
    module_kafka: Kafka,
):
    site = module_kafka.settings(hl7_alerts_timeout_s=0.5, instance_id="gateway-1")
    alerts = [alert(transition=n) for n in range(1, 41)]
    wanted = [f"{a.alert_id}/{a.transition}" for a in alerts]
    async with AlarmManager() as manager:
        manager.manners = ["yes", "no", "hang", "drop", "other", "no", "yes", "drop"]
        site = site.model_copy(update={"hl7_alerts_to": f"127.0.0.1:{manager.port}"})
        with Gateway("alerts", site) as gateway:
            await publish(site, alerts[:20])
            await until(lambda: len(ids(manager.received)) >= 10)
            manager.stop()  # an outage, in which the gateway is killed, too
            await publish(site, alerts[20:30])
            gateway.kill()
            gateway.start()
            await manager.start()
            await until(lambda: len(ids(manager.received)) >= 30)
            await publish(site, alerts[30:])
            await until(lambda: len(ids(manager.received)) >= 40)
            await until(lambda: gateway.get("/readyz")[0] == 200)
            assert gateway.stop() < 5

    assert ids(manager.received) == wanted
    # What came again is known by its control id.
    controls = {}
    for text in manager.received:
        controls.setdefault(ids([text])[0], set()).add(text.split("|")[9])
    assert all(len(found) == 1 for found in controls.values())


async def test_an_alert_that_is_always_refused_does_not_hold_up_the_others(
    module_kafka: Kafka,
):
    site = module_kafka.settings()
    async with AlarmManager() as manager:
        manager.manners = ["no", "no", "no", "no"]
        site = site.model_copy(update={"hl7_alerts_to": f"127.0.0.1:{manager.port}"})
        with Gateway("alerts", site) as gateway:
            await publish(site, [alert(transition=1), alert(transition=2)])
            await until(lambda: len(ids(manager.received)) == 2)
            assert gateway.metric('icu_gateway_alerts_total{outcome="refused"}') == 1

    [(headers, value)] = await letters(site)
    assert headers["reason"] == "alarm manager: AE "
    assert msgspec.json.decode(value, type=Alert) == alert(transition=1)


# --- the whole way -----------------------------------------------------------------------


async def test_from_the_monitor_over_the_worker_to_the_alarm_manager(
    module_kafka: Kafka, postgres_server: Postgres, tmp_path: Path, many_files: None
):
    site = module_kafka.settings(hl7_alerts_timeout_s=1.0, hl7_message_s=1.0)
    async with AlarmManager() as manager:
        site = site.model_copy(update={"hl7_alerts_to": f"127.0.0.1:{manager.port}"})
        with Worker(site), Gateway("hl7", site) as hl7, Gateway("alerts", site):
            monitor = Monitor(hl7.port)
            manager.manners = ["drop", "no", "hang"]
            crowd = await asyncio.to_thread(flood, hl7.port, 1_000)
            bad = asyncio.gather(
                garbage(hl7.port), halves(hl7.port), too_long(hl7.port)
            )
            now_ms = time.time_ns() // 1_000_000
            for second, spo2 in enumerate((97, 97, 75, 75)):
                at = now_ms + 1_000 * (second - 3)
                answer = await monitor.ask(
                    message("p-0030", at, {"hr": 80, "spo2": spo2}, f"c-{second}")
                )
                assert f"MSA|CA|c-{second}" in answer
            monitor.close()
            await until(lambda: any("spo2.desat" in text for text in manager.received))
            await bad
            for connection in crowd:
                connection.close()

    # A thousand connections and what else is bad do not delay the alarm: on Kafka it is
    # there at once (50 ms are the budget of an idle machine).
    [measured] = [r for r in await replica.log_of(site) if b'"spo2":75' in r.value][:1]
    told = await replica.read(site, site.topic_prefix + topics.ALERTS.name)
    [alarm] = [r for r in told if b"spo2.desat" in r.value][:1]
    assert alarm.timestamp - measured.timestamp < 1_000
    [text] = [t for t in manager.received if "spo2.desat" in t][-1:]
    assert "|199854^MDC_EVT_DESAT^MDC^spo2.desat^^99ICU|" in text
    assert "|A~PH~SP|" in text
    assert "p-0030^^^^PI" in text
    assert "Mustermann" not in text
    # The same stay, as files, from Kafka and from the records.
    site = site.model_copy(
        update={
            "postgres_dsn": postgres_server.database(),
            "postgres_password": SecretStr(PASSWORD),
        }
    )
    await archive(site)
    span = stay.span("p-0030", None, None)
    bundles = []
    for name, from_records in (("k", False), ("r", True)):
        for kind in ("json", "csv"):
            path = tmp_path / f"{name}.{kind}"
            counts = await asyncio.to_thread(
                stay.export, site, span, path, from_records=from_records
            )
            assert counts.messages == 4
        bundles.append(json.loads((tmp_path / f"{name}.json").read_text()))
        [stream] = readers.open_recording(tmp_path / f"{name}.csv")
        assert [v.values["spo2"] for v in stream.read(0)] == [97, 97, 75, 75]
    kafkas, recorded = ([e["resource"] for e in b["entry"]] for b in bundles)
    Bundle.model_validate(bundles[0])
    kinds = [resource["resourceType"] for resource in kafkas]
    assert (kinds[0], kinds.count("Observation"), kinds.count("Encounter")) == (
        "Patient",
        8,
        1,
    )
    assert "spo2.desat" in [
        resource["code"]["coding"][0]["code"]
        for resource in kafkas
        if resource["resourceType"] == "DetectedIssue"
    ]
    assert "Mustermann" not in json.dumps(bundles)
    assert kafkas == recorded


async def archive(site: Settings) -> None:
    """Put what Kafka has into the records."""
    async with postgres.database(site) as database:
        await migrate.upgrade(database)
    log = await replica.log_of(site)
    told = await replica.read(site, site.topic_prefix + topics.ALERTS.name)
    now_ms = time.time_ns() // 1_000_000
    async with postgres.pool(site, name="a test") as pool:
        series, trail = PostgresSeries(pool, site), PostgresTrail(pool)
        await series.tend(now_ms)
        await series.write([m for r in log if (m := intake.vitals(r))], now_ms)
        await trail.write([s for r in told if (s := intake.alerts(r))], now_ms)


# --- Kafka away: last, since it is frozen -------------------------------------------------


async def test_a_site_may_have_everybody_answered_in_the_original_mode(
    module_kafka: Kafka,
):
    way = inlet.Inlet(module_kafka.settings())
    await way.open()
    monitors = Monitors(way, Options(), Tally("hl7"), as_asked=False)
    good = message("p-0049", 1_772_348_400_000, {"hr": 80}, "c-1")
    replies = [
        await monitors.answer(Frame(body))
        for body in (good, good.replace(b"p-0049", b""))
    ]
    await way.close()

    assert [b"MSA|AA|c-1" in (reply.answer or b"") for reply in replies] == [
        True,
        False,
    ]
    assert b"MSA|AE|c-1" in (replies[1].answer or b"")


async def test_what_kafka_does_not_confirm_is_not_said_to_be_taken(
    module_kafka: Kafka, monkeypatch: pytest.MonkeyPatch
):
    site = module_kafka.settings(fhir_token=TOKEN)
    monkeypatch.setattr(inlet, "WRITTEN_S", 0.5)
    monkeypatch.setattr(inlet, "WAITING_MOST", 2)
    way = inlet.Inlet(site)
    await way.open()
    monitors = Monitors(way, Options(), Tally("hl7"))
    frames = [
        Frame(message("p-0050", 1_772_348_400_000 + n, {"hr": n}, f"c-{n}"))
        for n in range(3)
    ]
    desk = Desk(site, way, Tally("fhir")).app()
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/fhir+json",
    }
    async with TestClient(TestServer(desk), headers=headers) as client:
        module_kafka.freeze()
        try:
            first = await monitors.answer(frames[0])
            body = json.dumps(observation("p-0050"))
            second = await client.post("/Observation", data=body)
            issue = await second.json()
            # Two wait, and that is all that may: the third is not handed over.
            third = await monitors.answer(frames[2])
            waiting = way.waiting
        finally:
            module_kafka.thaw()
        await until(lambda: way.waiting == 0)
        again = await monitors.answer(frames[2])
    await way.close()

    assert first == third == Reply(None, taken=False)
    assert (second.status, second.headers["Retry-After"]) == (503, "1")
    OperationOutcome.model_validate(issue)
    assert waiting == 2
    assert again.taken
    # What was handed over was written in the end, once.
    assert [v.values["hr"] for v in await kept(site, "p-0050")] == [0, 82, 2]


async def test_while_kafka_is_frozen_nobody_is_answered_and_nothing_is_lost(
    module_kafka: Kafka, hl7: Gateway, fhir: Gateway, site: Settings
):
    monitor = Monitor(hl7.port, timeout_s=0.5)
    begin_ms = 1_772_348_400_000
    bodies = [
        message("p-0040", begin_ms + 1_000 * n, {"hr": n}, f"c-{n}") for n in range(20)
    ]
    for body in bodies[:10]:
        await monitor.send(body)
    module_kafka.freeze()
    try:
        waiting = asyncio.ensure_future(monitor.send(bodies[10]))
        await until(lambda: monitor.tries >= 13)  # it sends again and again
        assert not waiting.done()
    finally:
        module_kafka.thaw()
    answer = await asyncio.wait_for(waiting, 20)
    for body in bodies[11:]:
        await monitor.send(body)
    monitor.close()

    assert "MSA|CA|c-10" in answer
    found = [v.time for v in await kept(site, "p-0040")]
    assert list(dict.fromkeys(found)) == [begin_ms + 1_000 * n for n in range(20)]
    assert hl7.get("/readyz")[0] == 200
    module_kafka.freeze()
    try:
        assert hl7.stop() < 5
        assert fhir.stop() < 5
    finally:
        module_kafka.thaw()
