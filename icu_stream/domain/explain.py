"""Why an alert was raised: one sentence for a nurse, and the rest as data.

Everything is taken from the patient's state and the moment, so the same log gives the
same bytes. Numbers are rounded to what a person can use; a value is never rounded over
the limit that it is held against.
"""

from icu_stream.contracts.alerts import Alert, Event, Explanation
from icu_stream.contracts.signals import BY_CODE, Signal
from icu_stream.domain.alarm import Alarm
from icu_stream.domain.limits import Condition, Row, Rules, Verdict, verdict
from icu_stream.domain.patient import Patient


LONGEST = 90

_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C"}
_WORST = {Condition.LOW: "lowest", Condition.HIGH: "highest", Condition.ZERO: "lowest"}


def alert(
    patient: Patient,
    rules: Rules,
    alarm: Alarm,
    event: Event,
    time: int,
    *,
    annunciate: bool = False,
    by: str | None = None,
    reason: str = "",
) -> Alert:
    """The message of one transition that the alarm has just made.

    Args:
        patient: Settled; not changed.
        rules: The patient's.
        alarm: After the transition.
        event: The transition.
        time: Its moment, epoch ms, measurement time.
        annunciate: Should it make a sound?
        by: Who, where a person did it.
        reason: Why, where the value does not say it.
    """
    row = rules.rows[alarm.code]
    signal = None if row.signal is None else BY_CODE[row.signal]
    return Alert(
        alert_id=f"{patient.patient_id}:{alarm.code}:{alarm.onset}",
        transition=alarm.transition,
        event=event,
        patient_id=patient.patient_id,
        bed=patient.bed,
        code=alarm.code,
        kind=row.kind,
        priority=alarm.priority,
        # move() has set it: an alarm that is spoken of has a state.
        state=alarm.state,  # type: ignore[arg-type]
        annunciate=annunciate,
        onset=alarm.onset,
        time=time,
        text=sentence(patient, row, alarm, event, time, by=by, reason=reason),
        signal=row.signal,
        value=alarm.value,
        limit=row.limit,
        unit=None if signal is None else signal.unit,
        delay_s=row.delay_ms / 1000 if row.delay_ms or row.condition else None,
        by=by,
        explanation=_explanation(patient, rules, row, alarm, time, reason),
    )


def _explanation(
    patient: Patient, rules: Rules, row: Row, alarm: Alarm, time: int, reason: str
) -> Explanation:
    usual = change = None
    if row.condition is not None and row.signal is not None:
        usual = rounded(BY_CODE[row.signal], patient.windows.usual(row.signal))
        if usual is not None and alarm.value is not None:
            change = rounded(BY_CODE[row.signal], alarm.value - usual)
    current: dict[str, float] = {}
    expected = 0
    for code, track in patient.expected():
        expected += 1
        if track.valid == track.time and time - track.time < track.no_data_ms:
            current[code] = track.value
    completeness = f"{len(current)}/{expected}" if expected else ""
    if row.signal is not None:
        current.pop(row.signal, None)
    source = f"{rules.label}: {row.source}"
    if not patient.is_admitted:
        source += f"; nobody is admitted here: profile for {rules.population}"
    return Explanation(
        rule=in_words(row, rules),
        limit_source=source,
        violation_s=max(0, time - alarm.onset) / 1000,
        extreme=alarm.extreme,
        usual=usual,
        change=change,
        contributing=current,
        completeness=completeness,
        reason=reason,
        versions={"profile": rules.label},
    )


# --- the sentence


def sentence(
    patient: Patient,
    row: Row,
    alarm: Alarm,
    event: Event,
    time: int,
    *,
    by: str | None,
    reason: str,
) -> str:
    """What a nurse reads in three seconds; at most 90 characters."""
    if row.signal is None:
        parts = _bed_parts(patient, row, alarm, event, time)
    elif row.condition is not None:
        parts = _limit_parts(patient, row, alarm, event, time)
    else:
        parts = _signal_parts(patient, row, alarm, event, time)
    if event is Event.ESCALATED:
        parts.append(", not acknowledged")
    elif event is Event.REMINDED:
        parts.append(", acknowledged but not over")
    elif by is not None and event is Event.ACKNOWLEDGED:
        parts.append(f", acknowledged by {by}")
    elif by is not None:
        parts.append(f", ended by {by}")
    if reason and row.code != "bed.monitoring_fault":
        parts.append(f": {reason}")
    return fitted(parts)


def fitted(parts: list[str]) -> str:
    """Join the parts, leaving out those that do not fit; the first one is cut."""
    text = _printable(parts[0])
    if len(text) > LONGEST:
        return text[: LONGEST - 1] + "…"
    for part in parts[1:]:
        longer = text + _printable(part)
        if len(longer) <= LONGEST:
            text = longer
    return text


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _limit_parts(
    patient: Patient, row: Row, alarm: Alarm, event: Event, time: int
) -> list[str]:
    signal = BY_CODE[row.signal or ""]
    limit = row.limit or 0.0
    value = limit if alarm.value is None else alarm.value
    held = row.delay_ms > 0 or event is not Event.RAISED
    lasted = f" for {duration(time - alarm.onset)}" if held else ""
    side = "above" if row.condition is Condition.HIGH else "below"
    edge = f"{side} {number(signal, limit)}"
    if row.condition is Condition.ZERO:
        what = "no pulse" if signal.code == "hr" else "no breath"
        edge = f"{what}, {unit_of(signal, 0)}"
    if verdict(row, value) is not Verdict.VIOLATED or event is Event.CLEARED:
        # Over: the value that ended it, then what it was.
        parts = [f"{signal.name} {unit_of(signal, value)}", f", was {edge}", lasted]
    elif event is Event.RAISED and row.condition is Condition.ZERO:
        parts = [f"{signal.name} 0: {edge}", lasted]
    elif event is Event.RAISED:
        parts = [
            f"{signal.name} {unit_of(signal, value, beyond=limit)}, {edge}",
            lasted,
        ]
    else:
        parts = [f"{signal.name} {edge}", lasted]
        if alarm.extreme is not None and row.condition not in {None, Condition.ZERO}:
            worst = number(signal, alarm.extreme, beyond=limit)
            parts.append(f", {_WORST[row.condition]} {worst}")
    usual = patient.windows.usual(signal.code)
    if usual is not None:
        parts.append(f" (usual {number(signal, usual)})")
    return parts


def _signal_parts(
    patient: Patient, row: Row, alarm: Alarm, event: Event, time: int
) -> list[str]:
    signal = BY_CODE[row.signal or ""]
    is_over = event in {Event.CLEARED, Event.LATCHED}
    lasted = duration(time - alarm.onset)
    if row.code == f"{signal.code}.no_data":
        track = patient.tracks[signal.code]
        if is_over and track.is_expected and track.time >= time:
            return [f"{signal.name} is measured again", f", missing for {lasted}"]
        return [f"No {signal.name} for {duration(time - track.heard)}"]
    if row.code == f"{signal.code}.invalid":
        return _invalid_parts(signal, alarm, is_over=is_over)
    if row.words:
        return [row.words, f", for {lasted}"]
    if is_over:
        return ["ECG is right again: HR no longer 0 with a pulse"]
    return [f"ECG fault: HR 0 for {lasted}, but there is a pulse"]


def _invalid_parts(signal: Signal, alarm: Alarm, *, is_over: bool) -> list[str]:
    if is_over and alarm.value is not None:
        return [f"{signal.name} {unit_of(signal, alarm.value)}: measured rightly again"]
    span = f" ({signal.low:g}-{signal.high:g})" if "outside" in alarm.note else ""
    return [f"{signal.name} {alarm.note}", span]


def _bed_parts(
    patient: Patient, row: Row, alarm: Alarm, event: Event, time: int
) -> list[str]:
    is_over = event in {Event.CLEARED, Event.LATCHED}
    lasted = duration(time - alarm.onset)
    if row.code == "bed.no_data":
        if is_over:
            return [f"Data from the bed again, after {lasted} of alarm"]
        silent = duration(time - patient.heard) if patient.heard else lasted
        return [f"No data from the bed for {silent}"]
    if row.code == "bed.clock_jump":
        if is_over:
            return ["Device clocks are right again"]
        return [f"Device clock wrong by {alarm.note}: monitored by time of arrival"]
    if is_over:
        return ["Monitoring works again", f", failed for {lasted}"]
    return [f"Monitoring fault, watch the patient: {alarm.note}"]


# --- words and numbers


def in_words(row: Row, rules: Rules) -> str:
    """The rule as a person says it."""
    if row.words:
        return row.words
    if row.signal is None:
        return _bed_in_words(row, rules)
    signal = BY_CODE[row.signal]
    after = f" for {row.delay_ms / 1000:g} s" if row.delay_ms else ""
    unit = _UNITS.get(signal.unit, signal.unit)
    if row.condition is Condition.ZERO:
        without = " without a pulse elsewhere" if signal.code == "hr" else ""
        return f"{signal.name} 0 {unit}{after}{without}"
    if row.condition is not None:
        side = "above" if row.condition is Condition.HIGH else "below"
        return f"{signal.name} {side} {row.limit:g} {unit}{after}"
    return {
        "no_data": f"no value of {signal.name} for its no-data time",
        "invalid": f"{signal.name} no number, or not {signal.low:g} to {signal.high:g}",
    }.get(
        row.code.partition(".")[2],
        f"{signal.name} 0 {unit}{after} while a pulse is measured",
    )


def _bed_in_words(row: Row, rules: Rules) -> str:
    return {
        "bed.no_data": f"no data from the bed for {rules.bed_ms / 1000:g} s",
        "bed.clock_jump": "a device's clock moved by more than "
        f"{rules.clock_ms / 1000:g} s",
    }.get(row.code, "a rule failed on a record of this bed")


def duration(ms: int) -> str:
    """A span as a person says it: 12 s, 3 min, 2 h; parts of a unit are left out."""
    seconds = max(0, ms) // 1000
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h"


def number(signal: Signal, value: float, *, beyond: float | None = None) -> str:
    """A value with the digits of its signal, and more where they are needed.

    Args:
        signal: Whose.
        value: In its unit.
        beyond: A limit that the shown number must not be rounded onto or over.

    >>> from icu_stream.contracts.signals import BY_CODE
    >>> number(BY_CODE["spo2"], 79.0, beyond=80), number(BY_CODE["spo2"], 79.97, beyond=80)
    ('79', '79.97')
    """
    for digits in range(signal.digits, 7):
        text = f"{value:.{digits}f}"
        shown = float(text)
        if beyond is None or (shown != beyond and (shown < beyond) == (value < beyond)):
            break
    return text.lstrip("-") if shown == 0 else text


def unit_of(signal: Signal, value: float, *, beyond: float | None = None) -> str:
    """A value with its unit, as on a monitor."""
    unit = _UNITS.get(signal.unit, signal.unit)
    return f"{number(signal, value, beyond=beyond)} {unit}"


def rounded(signal: Signal, value: float | None) -> float | None:
    """A computed value to one digit more than its signal is shown with."""
    return None if value is None else round(value, signal.digits + 1)
