"""One patient and one record: what changes, and what has to be said.

`step` is one message of a device, `tick` says that time passes, `command` is what a
person asks, `fault` that monitoring itself failed. All change the patient in place, read
no clock and do no input or output; the same records in the same order give the same
bytes. The rules, by number, are in `docs/alarms.md`.

Most messages are not late, come from a device whose clock is as it was, carry the same
signals as before, all in their quiet bands, and nothing falls due. `step` finds that out
with one comparison a signal and no new object, and is done. When some signals are not
quiet, those alone are decided. Anything else takes the careful path, which may find the
same.
"""

import math

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from icu_stream.contracts.commands import Command, CommandResult
from icu_stream.contracts.signals import BY_CODE, INDEX, SIGNALS
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import (
    absence,
    annunciation,
    artefact,
    assessment,
    commands,
    condition,
    escalation,
    personal,
    sharing,
    skew,
    status,
)
from icu_stream.domain.annunciation import Bedside, Message
from icu_stream.domain.decoding import Mended
from icu_stream.domain.limits import (
    FOREVER_MS,
    NEVER,
    NO_BANDS,
    Rule,
    Rules,
    Verdict,
    verdict,
)
from icu_stream.domain.patient import MAX_DEVICES, Device, Patient, Source, Track
from icu_stream.errors import IcuStreamError


_LONGEST_NAME = 128
# Signals that we do not know, in a message on the usual path. Ours: what a monitor sends
# beside ours; no sender shall fill our memory with names.
_MOST_UNKNOWN = 32
_FAULT = "bed.monitoring_fault"
_ECG_FAULT = "hr.ecg_fault"
_NO_DATA_MS = {
    s.code: FOREVER_MS if s.no_data_s is None else round(s.no_data_s * 1000)
    for s in SIGNALS
}


class RuleError(IcuStreamError):
    """A rule raised on a record; all other rules have decided it all the same.

    Attributes:
        messages: What had been said on the record.
    """

    def __init__(self, messages: Sequence[Message], cause: Exception) -> None:
        super().__init__(f"a rule raised {cause!r}")
        self.messages = messages


def step(  # noqa: C901 - in one piece: each call would cost it a twentieth
    patient: Patient,
    vitals: Vitals,
    arrived_ms: int,
    rules: Rules,
    *,
    replay: bool = False,
) -> Sequence[Message]:
    """Apply one message of a device.

    Costs 1 to 2 us when it is as most messages are, some 50 us more where a bucket of
    10 s ends (windows, model and scores), and 15 to 25 us where an alarm is active
    (`python -m tests.benchmarks.core`).

    Args:
        patient: Changed.
        vitals: As `decoding.decode` gave it.
        arrived_ms: Kafka's timestamp of the record.
        rules: The same for all of a patient's records.
        replay: The message was recorded earlier: its arrival says nothing.

    Raises:
        RuleError: A rule raised. The rest of the record was decided.
    """
    record: _Record | None = None
    device = patient.devices.get(vitals.device)
    if device is not None and vitals.__class__ is not Mended:
        time = vitals.time
        skew_ms = time - arrived_ms
        values = vitals.values
        if (
            time >= patient.start
            and time > device.time
            and len(values) == len(device.bands)
            and (-rules.clock_ms <= skew_ms - device.skew <= rules.clock_ms or replay)
            and vitals.interval_s == device.interval_s
            and vitals.bed == device.bed
            and vitals.status == device.status
        ):
            if time >= patient.check:
                record = _Record(patient, vitals, arrived_ms, rules)
                record.pass_time(time)
            bands = device.bands
            odd: list[str] | None = None
            try:
                for code, value in values.items():
                    low, high = bands[code]
                    if not low <= value <= high:
                        if odd is None:
                            odd = []
                        odd.append(code)
            except (KeyError, TypeError):
                pass
            else:
                if odd is not None:
                    patient.settle()
                device.time = time
                device.skew = skew_ms
                if time > patient.heard:
                    patient.heard = time
                    patient.bed_ms = device.bed_ms
                device.heard = patient.heard
                patient.last = device
                patient.messages += 1
                if odd is not None:
                    record = record or _Record(patient, vitals, arrived_ms, rules)
                    return record.decide_odd(device, odd)
                device.vitals = vitals
                patient.times.append(time)
                patient.rows.append(values)
                return () if record is None else record.passed()
    record = record or _Record(patient, vitals, arrived_ms, rules)
    return record.step(replay=replay)


def tick(patient: Patient, now_ms: int, rules: Rules) -> Sequence[Message]:
    """Let time pass up to a moment of our clock (rule 5)."""
    # Of whom nothing was measured, something may have been asked or charted.
    if patient.last is None and due_ms(patient) is None:
        return ()
    here = patient.last.skew if patient.last is not None else 0
    return _advanced(patient, now_ms + here, rules).said


def command(
    patient: Patient, command: Command, arrived_ms: int, rules: Rules
) -> tuple[CommandResult, Sequence[Message]]:
    """Do what a person asks, once, and answer."""
    result = commands.answered(Bedside(patient, rules, []), command)
    if result is not None:
        return result, ()
    patient.settle()
    here = patient.last.skew if patient.last is not None else 0
    time = max(arrived_ms + here, patient.now)
    bedside = _advanced(patient, time, rules)
    result = commands.obey(bedside, command, time, arrived_ms)
    _set_check(patient)
    return result, bedside.said


def fault(
    patient: Patient, time_ms: int, reason: str, rules: Rules
) -> Sequence[Message]:
    """Say at the bed that monitoring failed on a record (rule 21).

    Args:
        patient: Changed.
        time_ms: The record's own time. Where there was a message before, its
            measurement time counts: the same, unless the device's clock has jumped.
        reason: Why.
        rules: The patient's.
    """
    time = time_ms if patient.last is None else patient.last.time
    patient.settle()
    bedside = personal.bedside_of(patient, rules)
    row = bedside.rules.rows[_FAULT]
    patient.faults += 1
    patient.fault_until = time + row.clear_ms
    patient.due = min(patient.due, patient.fault_until)
    patient.now = max(patient.now, time)
    if not patient.is_holding(_FAULT):
        annunciation.begin(bedside, row, time, time, note=reason[:200])
    patient.unbind()
    _set_check(patient)
    return bedside.said


def due_ms(patient: Patient) -> int | None:
    """When, by our clock, the next thing falls due if the patient stays silent."""
    patient.settle()
    moment = escalation.due(patient)
    if moment is None:
        return None
    return moment - (patient.last.skew if patient.last is not None else 0)


def is_due(patient: Patient, now_ms: int) -> bool:
    """Has anything fallen due by our clock? Costs next to nothing when nothing has."""
    here = patient.last.skew if patient.last is not None else 0
    if now_ms + here < patient.due:
        return False
    due = due_ms(patient)
    return due is not None and due <= now_ms


def _advanced(patient: Patient, until: int, rules: Rules) -> Bedside:
    patient.settle()
    bedside = escalation.advance(personal.bedside_of(patient, rules), until)
    _set_check(patient)
    return bedside


def _set_check(patient: Patient) -> None:
    patient.start = patient.windows.start_ms
    patient.check = min(patient.due, patient.windows.end_ms)


class _Sample(NamedTuple):
    """One value that is not late, on its way to be decided."""

    code: str
    value: Any
    is_valid: bool
    is_quiet: bool  # valid, in its band, and nothing of the signal is going on
    is_gap: bool  # since the last deciding value: the no-data time
    is_valid_gap: bool  # since the last valid value
    at: int  # when it is decided: its own time, or the signal's
    is_step: bool  # far from the value before


class _View:
    """A patient as an added rule sees it."""

    def __init__(self, patient: Patient, time: int) -> None:
        self._patient = patient
        self._time = time

    @property
    def patient_id(self) -> str:
        """Whose."""
        return self._patient.patient_id

    def value(self, signal: str) -> float | None:
        """The last valid value, None when the signal is silent."""
        track = self._patient.tracks.get(signal)
        if track is None or not track.valid:
            return None
        is_silent = self._time - track.valid >= track.no_data_ms
        return None if is_silent else track.value

    def age_s(self, signal: str) -> float | None:
        """Seconds since the last valid value, measurement time."""
        track = self._patient.tracks.get(signal)
        if track is None or not track.valid:
            return None
        return (self._time - track.valid) / 1000

    def usual(self, signal: str) -> float | None:
        """The mean of the signal's own history, None before there are 30 min of it."""
        return self._patient.windows.usual(signal)


class _Record:
    """One message on the careful path."""

    def __init__(
        self, patient: Patient, vitals: Vitals, arrived_ms: int, rules: Rules
    ) -> None:
        self.patient = patient
        self.vitals = vitals
        self.arrived_ms = arrived_ms
        self.bedside = personal.bedside_of(patient, rules)
        self.rules = self.bedside.rules
        self.error: Exception | None = None
        # Signals that come after a gap.
        self.gaps: set[str] = set()
        # Signals that are put aside, and other sources of those that are shared.
        self.aside: list[str] = []
        self.others: dict[str, dict[str, Source]] = {}
        # The valid values that are neither, and those of them that are doubted.
        self.carried: dict[str, float] = {}
        self.suspects: set[str] = set()
        # By the signal that tells: does it read as another unit?
        self.units: dict[str, bool] = {}

    def step(self, *, replay: bool) -> Sequence[Message]:
        patient, vitals = self.patient, self.vitals
        patient.settle()
        patient.messages += 1
        if isinstance(vitals, Mended):
            patient.mended += vitals.mended
        device = self.device()
        if device.time and vitals.time == (device.own or device.time):
            patient.duplicates += 1
            self.place(self.valid(), vitals.time)
            return self.answer()
        time = skew.measured_ms(
            device, vitals, self.arrived_ms, self.rules, replay=replay
        )
        if time is None or time <= device.time:
            if time == device.time:
                patient.duplicates += 1
            else:
                patient.late += 1
            device.bands = NO_BANDS
            self.place(self.valid(), vitals.time if time is None else time)
            return self.answer()
        skew.follow(device, vitals, time, self.arrived_ms)
        self.apply(device, time)
        _set_check(patient)
        return self.answer()

    def pass_time(self, time: int) -> None:
        """A bucket has ended or something may be due, before a message on the usual path.

        What is due needs the careful path, which the lack of bands leads to.
        """
        patient = self.patient
        patient.settle()
        if time >= patient.due:
            patient.due = escalation.bound(patient)
        if time >= patient.due:
            patient.unbind()
        elif time >= patient.windows.end_ms:
            self.guarded(self.turn, time)
        _set_check(patient)

    def passed(self) -> Sequence[Message]:
        """The message went the usual way after `pass_time`."""
        patient = self.patient
        # Here, so that the next moment due counts from this message: then it falls
        # together with the end of a bucket, and time has to be passed only once.
        patient.due = escalation.bound(patient, self.vitals.values)
        _set_check(patient)
        return self.answer()

    def answer(self) -> Sequence[Message]:
        """What was said on the record.

        Raises:
            RuleError: A rule raised.
        """
        if self.error is not None:
            raise RuleError(self.bedside.said, self.error) from self.error
        return self.bedside.said

    def device(self) -> Device:
        """The message's device, which the patient may not know yet."""
        patient, vitals = self.patient, self.vitals
        name = vitals.device[:_LONGEST_NAME]
        device = patient.devices.get(name)
        if device is None:
            # The clock of another device of the same bed is a better guess than none.
            here = patient.last
            ours = vitals.time - self.arrived_ms if here is None else here.skew
            skew.make_room(patient, MAX_DEVICES)
            device = patient.devices[name] = Device(name, ours)
        return device

    def valid(self) -> dict[str, float]:
        """The message's valid values of known signals."""
        return {
            code: value
            for code, value in self.vitals.values.items()
            if code in INDEX and artefact.is_valid(BY_CODE[code], value)
        }

    def place(self, values: dict[str, float], time: int) -> None:
        """Late values go where they belong and decide nothing."""
        patient = self.patient
        if time < patient.windows.end_ms:
            patient.windows.place(time, values)
            self.expect_end()

    def expect_end(self) -> None:
        """If nothing follows, the open bucket must be scored all the same."""
        patient = self.patient
        if patient.rows:
            end_ms = patient.windows.end_ms + assessment.GRACE_MS
            patient.due = min(patient.due, end_ms)
            _set_check(patient)

    def apply(self, device: Device, time: int) -> None:
        """A message that is not late: advance, then its values (rule 2)."""
        patient, vitals = self.patient, self.vitals
        bed = vitals.bed[:_LONGEST_NAME]
        if bed != device.bed:
            device.bed = bed
            patient.bed = bed or patient.bed
        device.time = time
        if patient.last is None:
            escalation.start_clock(patient, device.skew)
        patient.last = device
        self.bedside = escalation.advance(self.bedside, time)
        self.rules = rules = self.bedside.rules
        # Here, as `pass_time` does: before anything else is said of the message.
        if time >= patient.windows.end_ms:
            self.guarded(self.turn, time)
        skew.judge(self.bedside, time)
        device.interval_s = vitals.interval_s
        device.is_primary = vitals.primary
        interval_ms = round((vitals.interval_s or 1) * 1000)
        device.bed_ms = max(rules.bed_ms, int(rules.intervals * interval_ms))
        known = [code for code in vitals.values if code in INDEX]
        patient.unknown_signals += len(vitals.values) - len(known)
        if known:
            known.sort(key=INDEX.__getitem__)
            if time > patient.heard:
                patient.heard = time
                patient.bed_ms = device.bed_ms
            if patient.is_holding(absence.BED):
                patient.heard = max(patient.heard, patient.alarms[absence.BED].onset)
                annunciation.end(self.bedside, absence.BED, time)
                patient.due = 0  # what the bed's silence stood for may be due
            device.heard = patient.heard
            patient.due = min(patient.due, patient.heard + patient.bed_ms)
            if time >= patient.fault_until:
                annunciation.end(self.bedside, _FAULT, time)
        fresh = self.hear(device, known, {}, interval_ms)
        self.bind(device, fresh)

    def decide_odd(self, device: Device, odd: list[str]) -> Sequence[Message]:
        """A message on the usual path, but for some signals that are not quiet.

        Args:
            device: Has taken over the message's time; its values are still to be.
            odd: Those signals, known or not.
        """
        patient, values = self.patient, self.vitals.values
        interval_ms = round((self.vitals.interval_s or 1) * 1000)
        known = [code for code in odd if code in INDEX]
        known.sort(key=INDEX.__getitem__)
        patient.unknown_signals += len(odd) - len(known)
        device.is_primary = self.vitals.primary
        quiet = {code: value for code, value in values.items() if code not in odd}
        fresh = self.hear(device, known, quiet, interval_ms)
        self.bind(device, [*quiet, *fresh])
        _set_check(patient)
        return self.answer()

    def turn(self, time: int) -> None:
        """Ten seconds have ended: the model scores and learns them; then all scores."""
        patient = self.patient
        end_ms = patient.windows.end_ms
        doubtful = {*patient.suspects}
        if "abp_dia" in patient.tracks and artefact.in_rows(patient.rows):
            doubtful.update(artefact.ARTERIAL)
        patient.suspects.clear()
        means = patient.windows.turn(time)
        if means is None:
            return
        patient.suspect_buckets += bool(doubtful)
        is_learning = not doubtful and not assessment.is_alarmed(self.bedside)
        scored = patient.step_model(means, learn=is_learning)
        assessment.step(self.bedside, end_ms, means, doubtful, scored)

    def hear(
        self,
        device: Device,
        known: list[str],
        quiet: dict[str, float],
        interval_ms: int,
    ) -> list[str]:
        """Take the values into their tracks, then decide those that need it.

        All are heard before any is decided: a pulse counts in its own message.

        Args:
            device: Whose message; `time` is the message's.
            known: Signals to look at, in their order.
            quiet: The other values, which need no look.
            interval_ms: Of the message.

        Returns:
            The signals of `known` that were neither late nor put aside.
        """
        patient, values, time = self.patient, self.vitals.values, device.time
        places = [(code, self.place_of(device, code, interval_ms)) for code in known]
        fresh = [code for code, at in places if at is not None]
        carried = quiet | {
            code: values[code]
            for code in fresh
            if artefact.is_valid(BY_CODE[code], values[code])
        }
        self.carried = carried
        self.suspects = artefact.doubted(patient, self.vitals, carried, time)
        samples = [
            self.take(device, code, at, interval_ms)
            for code, at in places
            if at is not None
        ]
        patient.settle_values(device, quiet)
        if carried:
            patient.times.append(time)
            patient.rows.append(values if len(carried) == len(values) else carried)
            self.expect_end()
        if len(fresh) + len(self.aside) < len(known):
            late = set(known).difference(fresh, self.aside)
            patient.late_values += len(late)
            self.place({c: v for c, v in self.valid().items() if c in late}, time)
        self.doubt(samples, carried, time)
        if self.others or sharing.CODE in patient.runs:
            self.share(device, has_value=bool(known or quiet))
        if self.vitals.status or device.searching:
            self.guarded(status.heed, self.bedside, device, self.vitals, time)
        for sample in samples:
            if not sample.is_quiet:
                self.guarded(self.decide, sample)
                self.mark_busy(sample.code)
        for rule in self.rules.added:
            if not set(rule.signals).isdisjoint(fresh):
                self.guarded(self.ask, rule, time)
        return fresh

    def share(self, device: Device, *, has_value: bool) -> None:
        """Decide `bed.two_devices`; while it is not idle, each message with a value does."""
        if has_value:
            self.guarded(sharing.judge, self.bedside, device, self.others, device.time)
        if sharing.CODE in self.patient.runs:
            self.patient.unbind()

    def place_of(self, device: Device, code: str, interval_ms: int) -> int | None:
        """When a value is decided; None where it is late or put aside (rule 25).

        Knows the signal, and who speaks it, from now on.
        """
        patient, time = self.patient, device.time
        track = patient.tracks.get(code)
        if track is None:
            patient.tracks[code] = Track()
            return time
        no_data_ms = self.no_data_ms(code, interval_ms)
        at = sharing.decided_ms(track, device, time, no_data_ms)
        if at is None:
            return None
        others = sharing.others(patient, track, device.name, at)
        if others and sharing.is_put_aside(patient, device, others, at):
            self.aside.append(code)
            patient.put_aside += 1
            track.heard = max(track.heard, patient.heard)
            return None
        others = sharing.beside(patient, device, others)
        if others:
            self.others[code] = others
        if track.device not in {None, device.name} and not track.is_shared:
            # From now on each of its values is looked at, whoever's.
            patient.busy.add(code)
            patient.unbind()
        return at

    def no_data_ms(self, code: str, interval_ms: int) -> int:
        """A signal's no-data time by a message's interval."""
        return max(_NO_DATA_MS[code], int(self.rules.intervals * interval_ms))

    def take(self, device: Device, code: str, at: int, interval_ms: int) -> _Sample:
        """Remember a value and what follows from it for silence."""
        patient, rules = self.patient, self.rules
        value: Any = self.vitals.values[code]
        track = patient.tracks[code]
        is_valid = code in self.carried
        is_gap = at >= track.decided_until
        is_valid_gap = at >= track.valid_until
        if is_valid_gap:
            self.gaps.add(code)
        others = self.others.get(code, {})
        is_off = code in self.suspects and status.is_about(self.vitals, code)
        own = None
        if is_valid:
            own = Source(at, float(value), device.bed_ms, is_off)
        if others or track.is_shared or track.device != device.name:
            sharing.remember(track, device, others, own)
        track.device = device.name
        track.time = at
        track.ahead = at - device.time
        track.heard = patient.heard
        no_data = patient.alarms.get(f"{code}.no_data")
        if no_data is not None:
            track.heard = max(track.heard, no_data.onset)
        track.no_data_ms = self.no_data_ms(code, interval_ms)
        track.wait_ms = math.ceil(rules.spoken_intervals * interval_ms)
        if not track.is_expected:
            track.is_expected = True
            patient.unbind()  # a status about it now says something
        patient.due = min(patient.due, track.heard + track.no_data_ms)
        is_quiet = is_step = False
        if is_valid:
            before = None if is_valid_gap else track.value
            is_step = artefact.is_step(code, value, before)
            track.valid = at
            track.valid_until = at + track.no_data_ms
            track.value = float(value)
            track.source_ms = device.bed_ms
            track.is_off = is_off
            low, high = rules.quiet[code]
            is_in_band = low <= value <= high
            if is_step and not is_in_band:
                patient.suspects.add(code)
            is_quiet = (
                is_in_band
                and code not in patient.busy
                and not others
                and at == device.time
            )
            if is_quiet:
                track.decided_until = track.valid_until
        return _Sample(
            code, value, is_valid, is_quiet, is_gap, is_valid_gap, at, is_step
        )

    def doubt(
        self, samples: list[_Sample], carried: dict[str, float], time: int
    ) -> None:
        """Which values are suspect by c and f of rule 22, too; remember what is not learnt."""
        patient = self.patient
        if self.suspects:
            self.suspects.intersection_update(carried)
        for tells, of_unit in artefact.OF_UNIT.items():
            if tells in carried:
                is_other = artefact.is_other_unit(patient, tells, carried, time)
                self.units[tells] = is_other
                if is_other:
                    self.suspects.update(carried.keys() & set(of_unit))
                    patient.suspects.update(carried.keys() & set(of_unit))
        if self.vitals.status:
            patient.suspects.update(artefact.doubted_by_status(self.vitals, carried))
        self.suspects.update(s.code for s in samples if s.is_step)

    def decide(self, sample: _Sample) -> None:
        """What one value means for every alarm of its signal."""
        patient, rules, bedside = self.patient, self.rules, self.bedside
        code, value, is_valid, _, is_gap, _, at, _ = sample
        if patient.is_missing(code):
            annunciation.end(bedside, f"{code}.no_data", at)
            status.end(bedside, code, at)
            patient.unbind()  # it may be said of it again
        status.break_rows(patient, code)
        is_other = self.units.get(code)
        if is_other or f"{code}.unit" in patient.runs:
            artefact.judge_unit(bedside, code, value, at, is_other=is_other)
        if not is_valid:
            patient.invalid += 1
        if not is_valid or f"{code}.invalid" in patient.runs:
            artefact.judge(bedside, code, value, at, valid=is_valid)
        if not is_valid:
            return
        others = self.others.get(code, {})
        track = patient.tracks[code]
        if code == "hr" and self.is_ecg_fault(sample, others):
            return
        track.decided_until = at + track.no_data_ms
        is_suspect = code in self.suspects
        for row in rules.limits[code]:
            worst = value
            if others:
                worst = sharing.worst(row, value, others, is_off=track.is_off)
            condition.follow(
                bedside,
                row,
                verdict(row, worst),
                at,
                value=float(worst),
                is_gap=is_gap,
                is_suspect=is_suspect,
            )

    def is_ecg_fault(self, sample: _Sample, others: dict[str, Source]) -> bool:
        """Is a heart rate of zero none, since there is a pulse (rules 7 and 25)?"""
        patient, rules, at = self.patient, self.rules, sample.at
        is_fault = sample.value == 0 and (
            artefact.has_pulse(patient, rules, at, self.carried)
            or sharing.has_pulse(others, at - rules.corroboration_ms)
        )
        if is_fault or _ECG_FAULT in patient.runs:
            condition.follow(
                self.bedside,
                rules.rows[_ECG_FAULT],
                Verdict.VIOLATED if is_fault else Verdict.INSIDE,
                at,
                value=float(sample.value),
                is_gap=sample.is_valid_gap,
            )
        if is_fault:
            assessment.miss_beat(patient, at)
        return is_fault

    def mark_busy(self, code: str) -> None:
        """Must the signal's next value be looked at, even when it is quiet?"""
        patient = self.patient
        prefix = f"{code}."
        track = patient.tracks[code]
        if (
            track.is_shared
            or track.ahead
            or any(run.startswith(prefix) for run in patient.runs)
            or any(code in device.searching for device in patient.devices.values())
        ):
            patient.busy.add(code)
        else:
            patient.busy.discard(code)

    def ask(self, rule: Rule, time: int) -> None:
        """Let an added rule decide."""
        patient = self.patient
        view = _View(patient, time)
        answer = rule.decide(view, self.vitals, time)
        if answer is None:
            return
        first = rule.signals[0]
        condition.follow(
            self.bedside,
            rule.row,
            answer,
            time,
            value=view.value(first),
            is_gap=first in self.gaps,
        )

    def guarded(self, do: Callable[..., None], *args: Any) -> None:
        """Do it; what it raises must not keep the other rules from deciding."""
        try:
            do(*args)
        except Exception as error:  # noqa: BLE001 - kept, and raised when all is done
            self.error = self.error or error

    def bind(self, device: Device, fresh: list[str]) -> None:
        """Prepare the usual path for a message with the same signals."""
        patient, values = self.patient, self.vitals.values
        unknown = [code for code in values if code not in INDEX]
        device.status = (
            self.vitals.status if status.is_calm(patient, self.vitals) else None
        )
        if (
            not fresh
            or device.is_off
            or device.own
            or len(fresh) + len(self.aside) + len(unknown) < len(values)
            or len(unknown) > _MOST_UNKNOWN
            or sharing.CODE in patient.runs
            or patient.is_holding(_FAULT)
            or patient.is_holding(absence.BED)
        ):
            device.bands = NO_BANDS
            return
        bands = self.rules.bands(frozenset(fresh))
        odd = [*patient.busy.intersection(bands), *self.aside, *unknown]
        device.bands = bands | dict.fromkeys(odd, NEVER) if odd else bands
