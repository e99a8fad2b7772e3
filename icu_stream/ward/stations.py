"""The screens that show the ward, and whether an alarm would be heard at each.

A screen says on its live socket what its sound is: a browser keeps it locked until somebody
presses something, and only the screen itself knows. A screen that nobody would hear is
shown on the page of the system. What a screen says is its own word, the person and the
name of the screen are the session's.

A pause of the sound at one screen is no pause of the alarms, so no command of it goes to
Kafka: the alarm goes on everywhere else, and here it is heard again within two minutes. It
is written to the log with who and where.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import msgspec

from icu_stream.access.roles import Person
from icu_stream.contracts.vitals import Identifier
from icu_stream.observability import log


# Ours: three reports of ten seconds, of which one may be lost with its connection.
HEARD_MS = 30_000
# Ours: a shift, as long as a session lasts; who was there is then of no use any more.
KEPT_MS = 12 * 3_600_000
# Ours: more than a hospital has; the one that was not heard for the longest time goes.
MOST = 512


class Sound(StrEnum):
    """Would an alarm be heard at this screen?"""

    ON = "on"
    LOCKED = "locked"  # until somebody presses something there
    OFF = "off"  # a phone, or a browser without a working audio output


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a screen may say.

    Attributes:
        id: Made by the browser, for one window.
        sound: Of this screen.
        volume: Percent of what the browser can.
        paused: How many beds' sound is paused here.
        pausing: The patient whose sound a person has just paused here.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}$")]
    sound: Sound
    volume: Annotated[int, msgspec.Meta(ge=0, le=100)]
    paused: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    pausing: Identifier | None = None


class Station(msgspec.Struct, frozen=True):
    """One screen as it last said.

    Attributes:
        id: Of the window.
        name: Of the screen, else its address: the session's.
        by: Who is signed in there; may be empty.
        report: Its last word.
        seen_ms: When that came.
    """

    id: str
    name: str
    by: str
    report: Report
    seen_ms: int

    def is_here(self, now_ms: int) -> bool:
        """Is it still heard of?"""
        return abs(now_ms - self.seen_ms) <= HEARD_MS

    def is_silent(self, now_ms: int) -> bool:
        """Would nobody hear an alarm there?"""
        return self.report.sound is not Sound.ON or not self.is_here(now_ms)


class Stations:
    """The screens of the last hours; a bounded number of them.

    Attributes:
        refused: Messages of browsers that were no reports.
    """

    def __init__(self) -> None:
        self.refused = 0
        self._stations: dict[str, Station] = {}

    def __iter__(self) -> Iterator[Station]:
        """The one heard last comes last."""
        return iter(list(self._stations.values()))

    def hear(self, message: str | bytes, person: Person, now_ms: int) -> None:
        """Take what a browser says; what is no report is counted and passed over."""
        try:
            report = msgspec.json.decode(message, type=Report)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.refused += 1
            return
        before = self._stations.pop(report.id, None)
        name = person.station
        station = Station(report.id, name, person.by, report, now_ms)
        self._stations[report.id] = station
        self._forget(now_ms)
        if report.pausing is not None:
            log.info(
                "ward_sound_paused",
                station=name,
                by=person.by,
                patient_id=report.pausing,
            )
        if before is None or before.report.sound is not report.sound:
            log.info(
                "ward_station_sound",
                station=name,
                by=person.by,
                sound=report.sound.value,
                volume=report.volume,
            )

    def _forget(self, now_ms: int) -> None:
        """Drop those of the last shift, and those that are too many."""
        for station in self:
            is_old = now_ms - station.seen_ms > KEPT_MS
            if not is_old and len(self._stations) <= MOST:
                return
            del self._stations[station.id]
