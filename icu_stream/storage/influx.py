"""Vitals and scores in InfluxDB: 1.x, and 2.x and 3 by their 1.x-compatible addresses.

A point of `vitals` is one message: tags `bed`, `device` and `patient_id`, the device's clock
as its time, a field a signal, and `meta.arrived_ms`, the broker's clock. InfluxDB keys a
point by measurement, tags and time, so what is written twice is there once, and two
messages that one device sent of one moment are one point.

Of the texts in a message none becomes a part of the protocol: tags are percent-encoded
where they hold what the protocol means something by, fields have letters, digits, `_`, `-`
and `%` alone, and a dot only where the name is ours. All of it is undone when it is read.
"""

import re

from collections import defaultdict
from collections.abc import (
    AsyncIterator,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import aiohttp

from icu_stream.contracts.topics import DAY_MS
from icu_stream.errors import ContractError, StorageError
from icu_stream.lean import without
from icu_stream.observability import log
from icu_stream.settings import Settings
from icu_stream.storage.intake import Measured, Row, Said
from icu_stream.storage.sampling import Figures
from icu_stream.storage.series import MINUTE_MS, QUARTER_MS, Minute, in_portions


# Half a second and 50 MB; for answers as tables, which we do not ask for.
with without("pandas"):
    from aioinflux import InfluxDBClient
    from aioinflux.client import InfluxDBError, InfluxDBWriteError

VITALS, SCORES, MINUTES, QUARTERS = "vitals", "scores", "vitals_1m", "vitals_15m"
# The retention policy of the downsamples; all else is in the database's own.
COARSE = "coarse"
FIGURES = ("low", "high", "mean", "n", "latest")
_FUNCTIONS = ("min", "max", "mean", "count", "last")  # InfluxQL's, in the same order
_WORDS = dict(zip(_FUNCTIONS, FIGURES, strict=True))

TIMEOUT_S = 10.0
RETRY_S = 1.0
# InfluxDB's times are 64 bits of nanoseconds: to the year 2262.
_END_MS = 2**63 // 1_000_000
# Ours: patients whose values one question asks for, 90,000 of a signal.
_MOST_PATIENTS = 100

_TAG = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_RESERVED = frozenset(("time", "bed", "device", "patient_id"))
_SIGNAL_FIELDS = "/^[^.]+$/"  # a dot is in the names of our own alone


class Influx:
    """A connection to one database of one InfluxDB.

    Args:
        settings: `influx_url` and how to prove who we are.

    Attributes:
        has_policies: Does it have databases and policies that we may make?
        coarse: The policy of the downsamples; None: they are beside the rest.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.influx_url is not None  # noqa: S101 - asked for with it alone
        self._settings = settings
        parts = urlsplit(settings.influx_url)
        is_tls = parts.scheme == "https"
        self._place = f"InfluxDB at {parts.netloc}"
        # InfluxDB 2 and 3 have no policies of a database: a bucket keeps all as long.
        self.has_policies = settings.influx_token is None
        self.coarse = COARSE if self.has_policies else None
        options: dict[str, Any] = {}
        if settings.influx_token is not None:
            token = settings.influx_token.get_secret_value()
            options["headers"] = {"Authorization": f"Token {token}"}
        elif settings.influx_username and settings.influx_password:
            options["username"] = settings.influx_username
            options["password"] = settings.influx_password.get_secret_value()
        self._client = InfluxDBClient(
            parts.hostname or "127.0.0.1",
            parts.port or (443 if is_tls else 80),
            path=parts.path.rstrip("/") + "/",
            db=settings.influx_database,
            ssl=is_tls,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            **options,
        )

    async def write(self, lines: Sequence[bytes], policy: str | None = None) -> None:
        """Write points.

        Raises:
            ContractError: At least one will never be taken; the others may have been.
            StorageError: None is taken now.
        """
        try:
            await self._client.write(b"\n".join(lines), rp=policy)
        except InfluxDBWriteError as error:
            raise self._refusal(error) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._no_answer(error) from error

    async def query(
        self, statements: str, *, epoch: str = "ms"
    ) -> list[list["Series"]]:
        """Ask in InfluxQL; the series of each statement.

        Args:
            statements: One, or several after one another with semicolons.
            epoch: Unit of times in the answer.

        Raises:
            StorageError: No answer, or one that says no.
        """
        try:
            answer = await self._client.query(statements, epoch=epoch)
        except InfluxDBError as error:
            msg = f"{self._place}: {error}"
            raise StorageError(msg, retry_after_s=RETRY_S) from error
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise self._no_answer(error) from error
        return [
            [
                Series(one.get("tags", {}), one["columns"], one.get("values", ()))
                for one in result.get("series", ())
            ]
            for result in answer.get("results", ())
        ]

    async def prepare(self) -> None:
        """Make database and retention policies where they can be made, as configured.

        In InfluxDB 2 and 3 they are made by whoever runs it: docs/archive.md.

        Raises:
            StorageError: No answer, or there is no such database and none can be made.
        """
        if not self.has_policies:
            return
        name, days = self._settings.influx_database, self._settings.retention_days
        coarse_days = self._settings.retention_coarse_days
        wanted = {"autogen": days, COARSE: coarse_days}
        if not await self._has_database():
            await self.query(f'CREATE DATABASE "{name}"')
        [policies] = await self.query(f'SHOW RETENTION POLICIES ON "{name}"')
        known = {row["name"]: row["duration"] for one in policies for row in one.rows()}
        for policy, kept in wanted.items():
            verb = "ALTER" if policy in known else "CREATE"
            more = "" if policy in known else " REPLICATION 1"
            if _days(known.get(policy, "")) != kept:
                await self.query(
                    f'{verb} RETENTION POLICY "{policy}" ON "{name}" '
                    f"DURATION {kept}d{more}"
                )
                log.info("retention_set", policy=policy, days=kept)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _has_database(self) -> bool:
        [found] = await self.query("SHOW DATABASES")
        names = {row["name"] for one in found for row in one.rows()}
        return self._settings.influx_database in names

    def _refusal(self, error: InfluxDBWriteError) -> ContractError | StorageError:
        """What an answer that is not 204 means."""
        said = error.headers.get("X-Influxdb-Error") or error.reason
        msg = f"{self._place}: {error.status}: {said}"
        is_of_points = error.status in {400, 413, 422} and "no space" not in said
        if is_of_points:
            return ContractError(msg)
        if error.status in {401, 403}:
            msg += "; see ICU_INFLUX_TOKEN, or ICU_INFLUX_USERNAME and its password"
        if error.status == 404:
            msg += f"; see ICU_INFLUX_DATABASE ({self._settings.influx_database})"
        return StorageError(msg, retry_after_s=RETRY_S)

    def _no_answer(self, error: BaseException) -> StorageError:
        said = str(error) or f"no answer in {TIMEOUT_S:g} s"
        return StorageError(f"{self._place}: {said}", retry_after_s=RETRY_S)


class Series(NamedTuple):
    """One series of an answer.

    Attributes:
        tags: By which it was grouped.
        columns: `time` first.
        values: Rows; null is absent.
    """

    tags: Mapping[str, str]
    columns: Sequence[str]
    values: Sequence[Sequence[Any]]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each row by column."""
        for row in self.values:
            yield dict(zip(self.columns, row, strict=True))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Influx]:
    """A connection, for a while."""
    made = Influx(settings)
    try:
        yield made
    finally:
        await made.close()


class InfluxSeries:
    """Vitals and scores in InfluxDB: the archive's side.

    Args:
        influx: Where.
        settings: How long what is kept.
    """

    def __init__(self, influx: Influx, settings: Settings) -> None:
        self._influx = influx
        self._keep_ms = settings.retention_days * DAY_MS
        self._is_prepared = False

    async def write(self, rows: Sequence[Row], now_ms: int) -> int:
        """Keep rows; see `series.Store`. What is older than the retention is not taken."""
        if not self._is_prepared:
            await self.tend(now_ms)
        # A minute less: InfluxDB looks at its own clock.
        oldest = now_ms - self._keep_ms + MINUTE_MS
        kept = [row for row in rows if _time_ms(row) >= oldest]
        try:
            await in_portions(kept, self._write)
        except StorageError:
            self._is_prepared = False  # it may be a new and empty one
            raise
        return len(rows) - len(kept)

    async def _write(self, rows: Sequence[Row]) -> None:
        if rows:
            await self._influx.write([line(row) for row in rows])

    async def settle(self, minutes: Collection[Minute], now_ms: int) -> None:
        """Make the figures of some minutes anew, and of the quarters they are in."""
        oldest = now_ms - self._keep_ms + QUARTER_MS
        for start_ms, patients in _groups(m for m in minutes if m.time_ms >= oldest):
            await self._figure(start_ms, patients)

    async def tend(self, now_ms: int) -> None:  # noqa: ARG002
        """Make the database and see to its retention; InfluxDB itself drops what is old."""
        await self._influx.prepare()
        self._is_prepared = True

    async def _figure(self, start_ms: int, patients: Sequence[str]) -> None:
        """The figures of a quarter of an hour, and of the minutes in it."""
        where = condition(patients, start_ms, start_ms + QUARTER_MS)
        # Both from the values: a quarter of an hour is 900 values of a signal at most.
        for step, name in (("1m", MINUTES), ("15m", QUARTERS)):
            [found] = await self._influx.query(
                f"SELECT {wanted()} FROM {VITALS} WHERE {where} "  # noqa: S608 - quoted
                f"GROUP BY time({step}), patient_id fill(none)"
            )
            lines = [made for one in found for made in _figured(name, one)]
            if lines:
                await self._influx.write(lines, self._influx.coarse)


def line(row: Row) -> bytes:
    """A row as a line of the protocol; 4 us for eight signals.

    Raises:
        ContractError: Its time is one that InfluxDB does not have.
    """
    if isinstance(row, Measured):
        return _measured(row)
    return _scored(row)


def _measured(row: Measured) -> bytes:
    _check(row.time_ms)
    fields = [f"{field(code)}={value!r}" for code, value in row.values.items()]
    fields += [
        f'status.{field(code)}="{_quoted(why)}"' for code, why in row.status.items()
    ]
    if row.interval_s is not None:
        fields.append(f"meta.interval_s={row.interval_s!r}")
    if row.is_primary:
        fields.append("meta.is_primary=true")
    fields.append(f"meta.arrived_ms={row.arrived_ms}i")
    begin = _begin(VITALS, row.bed, row.device, row.patient_id)
    return f"{begin} {','.join(fields)} {row.time_ms}000000".encode()


def _scored(row: Said) -> bytes:
    scores = row.message
    _check(scores.time)
    # Numbers for whoever draws them; what is read back is the message.
    numbers: dict[str, float] = {
        field(name): float(value) for name, value in scores.others.items()
    }
    if scores.news2 is not None:
        numbers["news2"] = float(scores.news2.total)
        numbers["news2_completeness"] = float(scores.news2.completeness)
    if scores.anomaly is not None and scores.anomaly.warm:
        numbers["anomaly"] = float(scores.anomaly.score)
    fields = [f"{name}={value!r}" for name, value in numbers.items()]
    body = row.body.replace("\n", " ").replace("\r", " ")
    fields.append(f'meta.body="{_quoted(body)}"')
    fields.append(f"meta.arrived_ms={row.arrived_ms}i")
    begin = _begin(SCORES, scores.bed, "", scores.patient_id)
    # Two statements of one moment are two: the nanoseconds are of the message's hash.
    time_ns = scores.time * 1_000_000 + row.digest % 1_000_000
    return f"{begin} {','.join(fields)} {time_ns}".encode()


@lru_cache(maxsize=4_096)
def field(code: str) -> str:
    """A signal's code as the name of a field.

    >>> field("hr"), field("time"), field("a,b c=1.5")
    ('hr', '%74ime', 'a%2Cb%20c%3D1%2E5')
    """
    name = quote(code, safe="").replace(".", "%2E").replace("~", "%7E")
    if not name or name in _RESERVED or name[0] == "_":
        first = name[:1].encode().hex().upper() or "00"
        return f"%{first}{name[1:]}"
    return name


def code(name: str) -> str:
    """The signal whose field has a name: undoes `field`."""
    return "" if name == "%00" else unquote(name)


def tag(text: str) -> str:
    r"""A text as the value of a tag, before the protocol's own escapes.

    >>> tag("ICU 1,7"), tag("50%\\")
    ('ICU 1,7', '50%25%5C')
    """
    return text.replace("%", "%25").replace("\\", "%5C")


def untag(text: str | None) -> str:
    """The text that a tag's value stands for: undoes `tag`."""
    return unquote(text or "")


def condition(
    patients: Iterable[str], start_ms: int, end_ms: int, *, more: str = ""
) -> str:
    """The `WHERE` of patients and a span of time; the end is not in it."""
    whose = " OR ".join(f"patient_id = {_literal(tag(one))}" for one in patients)
    return f"({whose}) AND time >= {int(start_ms)}000000 AND time < {int(end_ms)}000000{more}"


def identifier(name: str) -> str:
    """A name as InfluxQL quotes it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _literal(text: str) -> str:
    """A text as InfluxQL quotes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@lru_cache(maxsize=65_536)
def _begin(name: str, bed: str, device: str, patient_id: str) -> str:
    """Measurement and tags, in the order in which InfluxDB keeps them; empty ones go."""
    tags = (("bed", bed), ("device", device), ("patient_id", patient_id))
    return name + "".join(
        f",{key}={tag(value).translate(_TAG)}" for key, value in tags if value
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _check(time_ms: int) -> None:
    if not 0 <= time_ms < _END_MS:
        msg = f"time {time_ms}: InfluxDB has times up to the year 2262"
        raise ContractError(msg)


def _time_ms(row: Row) -> int:
    return row.time_ms if isinstance(row, Measured) else int(row.message.time)


def _days(duration: str) -> float | None:
    """Days of a duration as InfluxDB says it: `720h0m0s`."""
    found = re.fullmatch(r"(\d+)h0m0s", duration)
    return int(found[1]) / 24 if found else None


def _groups(owed: Iterable[Minute]) -> Iterator[tuple[int, list[str]]]:
    """Quarters of an hour, each with the patients of some minutes in it, in portions."""
    quarters: defaultdict[int, set[str]] = defaultdict(set)
    for patient_id, time_ms in owed:
        quarters[time_ms // QUARTER_MS * QUARTER_MS].add(patient_id)
    for start_ms, patients in sorted(quarters.items()):
        listed = sorted(patients)
        for i in range(0, len(listed), _MOST_PATIENTS):
            yield start_ms, listed[i : i + _MOST_PATIENTS]


def wanted() -> str:
    """The figures of every signal, as InfluxQL asks for them."""
    return ", ".join(f"{name}({_SIGNAL_FIELDS})" for name in _FUNCTIONS)


def figures(row: Mapping[str, Any]) -> Iterator[tuple[str, Figures]]:
    """The figures of each signal in one row: of `wanted`, or of a downsample."""
    told: dict[str, dict[str, float]] = {}
    for column, value in row.items():
        if value is None or column in _RESERVED:
            continue
        function, _, asked = column.partition("_")
        name, _, kept = column.rpartition(".")
        # A dot is in a downsample's fields alone: `hr.low`; a question's are `min_hr`.
        signal, word = (name, kept) if kept in FIGURES and name else (asked, function)
        word = _WORDS.get(word, word)
        told.setdefault(code(signal), {})[word] = float(value)
    for signal, words in told.items():
        if words.keys() >= set(FIGURES):
            numbers = words["low"], words["high"], words["mean"]
            yield (
                signal,
                Figures(row["time"], *numbers, int(words["n"]), words["latest"]),
            )


def _figured(name: str, series: Series) -> Iterator[bytes]:
    """The figures of one patient as lines, one a step that has a value."""
    begin = _begin(name, "", "", untag(series.tags.get("patient_id")))
    for row in series.rows():
        fields = [
            f"{field(signal)}.{word}={float(getattr(made, word))!r}"
            for signal, made in figures(row)
            for word in FIGURES
        ]
        if fields:
            yield f"{begin} {','.join(fields)} {row['time']}000000".encode()
