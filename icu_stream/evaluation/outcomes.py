"""What is known to be true of a log's patients, and the alarms held against it.

Three kinds of truth are there, and each can say less than the one before:

- a *simulated ward's* truth says which alarms must, may and must not come, and when;
- *hours*: the hour in which a patient fell ill. An alarm is early warning when it comes
  in the hours before; nobody can say what any other alarm was good for;
- *stays*: who died. It has no hour, so there is no lead time, and an alarm can only be
  told to belong to a stay that ended well or badly.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.domain.limits import STRENGTH
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation.tally import Judged
from icu_stream.evaluation.trial import Episode
from icu_stream.sources import readers
from icu_stream.sources.truth import Truth


HOUR_MS = 3_600_000
# In 59 of the 63 septic stays of the eICU demo the label marks 13 hours in a row and the
# record ends with them: six hours before the onset to six after it (read off the data).
LABELLED_BEFORE_MS = 6 * HOUR_MS
# An alarm warns of an event when it comes so long before it, or less. Ours: an alarm of
# yesterday is no warning; six and twelve hours are what sepsis models are judged by.
WARNING_MS = 12 * HOUR_MS


class Knowledge(StrEnum):
    """How much is known."""

    TRUTH = "truth"  # which alarms must, may and must not come, and when
    HOURS = "hours"  # when something happened
    STAYS = "stays"  # that it happened


class Outcomes(Protocol):
    """What is true."""

    @property
    def title(self) -> str:
        """One line that says what it is."""

    @property
    def knowledge(self) -> Knowledge:
        """How much is known."""

    def judge(self, patient_id: str, episodes: Sequence[Episode]) -> Judged | None:
        """Hold one patient's alarms against it; None when nothing is known of it."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The truth of a simulated ward."""

    title: str
    by_patient: dict[str, list[Truth]]
    knowledge: Knowledge = Knowledge.TRUTH

    def judge(self, patient_id: str, episodes: Sequence[Episode]) -> Judged | None:
        """What must come, and what was raised while a story lasts.

        An alarm that must come counts as caught when it is on, with its priority or a
        higher one, between its earliest and its latest moment; where it comes later, but
        while the story lasts, as late.
        """
        told = self.by_patient.get(patient_id)
        if told is None:
            return None
        judged = Judged()
        for truth in told:
            _hold(truth, episodes, judged)
        for episode in episodes:
            if episode.kind is Kind.ADVISORY:
                continue
            here = [t for t in told if _covers(t, episode.raised)]
            if not here:
                counts = judged.unjudged
            elif any(truth.allows(episode.code) for truth in here):
                counts = judged.right
            else:
                counts = judged.wrong
            _increase(counts, episode.priority)
        _count_patient(
            judged, ill=any(t.must for t in told), alarmed=_is_alarmed(episodes)
        )
        return judged


def _covers(truth: Truth, moment: int) -> bool:
    return truth.start <= moment and (truth.end is None or moment <= truth.end)


def _hold(truth: Truth, episodes: Sequence[Episode], judged: Judged) -> None:
    for must in truth.must:
        what = f"{truth.story} ({must.priority})"
        _increase(judged.total, what)
        moments = [
            moment
            for episode in episodes
            if episode.code == must.code
            and (episode.ended is None or episode.ended > must.earliest)
            and (moment := _risen(episode, must.priority)) is not None
            and (truth.end is None or moment <= truth.end)
        ]
        if not moments:
            _increase(judged.missed, what)
            continue
        first = min(moments)
        _increase(judged.caught if first <= must.latest else judged.late, what)
        judged.lead_ms.setdefault(what, []).append(min(0, truth.start - first))


def _risen(episode: Episode, priority: Priority) -> int | None:
    """When an alarm had at least a priority; None = never."""
    wanted = STRENGTH[priority]
    levels = episode.levels()
    return next((moment for moment, p in levels if STRENGTH[p] >= wanted), None)


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """When patients fell ill.

    Attributes:
        title: One line that says what it is.
        what: The event's name.
        onsets: Moment by patient, epoch ms; None = it did not happen.
    """

    title: str
    what: str
    onsets: dict[str, int | None]
    knowledge: Knowledge = Knowledge.HOURS

    def judge(self, patient_id: str, episodes: Sequence[Episode]) -> Judged | None:
        """Was there an alarm of the patient in the hours before?"""
        if patient_id not in self.onsets:
            return None
        onset = self.onsets[patient_id]
        judged = Judged()
        warnings = []
        for episode in episodes:
            if not _is_sounding(episode):
                continue
            first = (
                onset is not None and onset - WARNING_MS <= episode.sounds[0] <= onset
            )
            _increase(judged.right if first else judged.wrong, episode.priority)
            if first:
                warnings.append(episode.sounds[0])
        if onset is not None:
            _increase(judged.total, self.what)
            _increase(judged.caught if warnings else judged.missed, self.what)
            if warnings:
                judged.lead_ms[self.what] = [onset - min(warnings)]
        _count_patient(judged, ill=onset is not None, alarmed=_is_alarmed(episodes))
        return judged


class Stays(msgspec.Struct, frozen=True, kw_only=True):
    """Which stays ended badly.

    Attributes:
        title: One line that says what it is.
        what: The event's name.
        ill: By patient.
    """

    title: str
    what: str
    ill: dict[str, bool]
    knowledge: Knowledge = Knowledge.STAYS

    def judge(self, patient_id: str, episodes: Sequence[Episode]) -> Judged | None:
        """Was there an alarm of the patient at all?"""
        if patient_id not in self.ill:
            return None
        ill, alarmed = self.ill[patient_id], _is_alarmed(episodes)
        judged = Judged()
        for episode in episodes:
            if _is_sounding(episode):
                _increase(judged.right if ill else judged.wrong, episode.priority)
        if ill:
            _increase(judged.total, self.what)
            _increase(judged.caught if alarmed else judged.missed, self.what)
        _count_patient(judged, ill=ill, alarmed=alarmed)
        return judged


def _is_sounding(episode: Episode) -> bool:
    """A failing sensor is no warning of a failing patient, nor is what nobody hears."""
    return bool(episode.sounds) and episode.kind is not Kind.TECHNICAL


def _is_alarmed(episodes: Sequence[Episode]) -> bool:
    return any(_is_sounding(episode) for episode in episodes)


def _count_patient(judged: Judged, *, ill: bool, alarmed: bool) -> None:
    name = "with" if ill else "without"
    _increase(judged.patients, name)
    if alarmed:
        _increase(judged.patients, f"alarmed_{name}")


def _increase(counts: dict[str, int], name: str) -> None:
    counts[str(name)] = counts.get(str(name), 0) + 1


# --- where it is found


def beside(path: Path) -> Outcomes | None:
    """The outcomes that lie beside a recording; None when there are none.

    Raises:
        ConfigurationError: A file is there, but cannot be read.
    """
    directory = path if path.is_dir() else path.parent
    if path.name.endswith("_dyn.parquet"):
        file = path.with_name(path.name.replace("_dyn.parquet", "_outc.parquet"))
        return read(file) if file.is_file() else None
    if path.is_dir() and (tables := sorted(path.glob("*_dyn.parquet"))):
        return beside(tables[0])
    files = sorted(directory.glob("Outcomes-*.txt"))
    is_challenge = path.is_dir() or ".tar" in path.name or path.suffix == ".txt"
    return read(files[0]) if len(files) == 1 and is_challenge else None


def read(path: Path) -> Outcomes:
    """Read outcomes: eICU's table, PhysioNet 2012's list, or a simulated ward's truth.

    Raises:
        ConfigurationError: Not there, or none of these.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
        if head.startswith(b"PAR1"):
            return _eicu(path)
        if head.startswith(b"RecordID,"):
            return _physionet_2012(path)
        return _simulated(path)
    except (OSError, ValueError, KeyError, msgspec.MsgspecError) as error:
        msg = (
            f"{path} holds no outcomes that can be read ({error}): want an eICU "
            "*_outc.parquet, PhysioNet 2012's Outcomes-*.txt, or what icu-stream "
            "simulate --truth wrote"
        )
        raise ConfigurationError(msg) from error


def told(truths: Sequence[Truth], title: str) -> Told:
    """The truth of a simulated ward, by patient."""
    by_patient: dict[str, list[Truth]] = {}
    for truth in truths:
        by_patient.setdefault(truth.patient_id, []).append(truth)
    return Told(title=title, by_patient=by_patient)


def _simulated(path: Path) -> Told:
    decode = msgspec.json.Decoder(Truth).decode
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    if not lines:
        msg = "it is empty"
        raise ValueError(msg)
    return told([decode(line) for line in lines], f"truth of {path.name}")


def _physionet_2012(path: Path) -> Stays:
    """Columns by name; source: PhysioNet/CinC Challenge 2012, "Outcome-related"."""
    lines = path.read_text("utf-8").splitlines()
    columns = lines[0].split(",")
    stay, died = columns.index("RecordID"), columns.index("In-hospital_death")
    rows = [line.split(",") for line in lines[1:] if line.strip()]
    ill = {f"pn2012-{int(row[stay])}": int(row[died]) == 1 for row in rows}
    return Stays(title="deaths in hospital", what="death in hospital", ill=ill)


def _eicu(path: Path) -> Outcomes:
    # pyarrow takes a quarter of a second to import.
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
    stays = [f"eicu-{stay}" for stay in table["stay_id"].to_pylist()]
    labels = [bool(label) for label in table["label"].to_pylist()]
    if "time" not in table.column_names:
        ill = dict(zip(stays, labels, strict=True))
        return Stays(title="deaths after the first day", what="death", ill=ill)
    moments = table["time"].cast(pa.duration("ms")).cast(pa.int64()).to_pylist()
    onsets: dict[str, int | None] = {}
    for stay, moment, label in sorted(zip(stays, moments, labels, strict=True)):
        onsets.setdefault(stay, None)
        if label and onsets[stay] is None:
            onsets[stay] = readers.UNDATED_MS + moment + LABELLED_BEFORE_MS
    return Hours(title="sepsis by the hour", what="sepsis", onsets=onsets)
