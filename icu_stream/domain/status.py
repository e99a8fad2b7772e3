"""What a device says about a signal that it does not measure: the sensor is off, ...

Rule 24 of `docs/alarms.md`. Such an alarm is more than silence: it says what to do. It
stands for the signal's no-data alarm.
"""

from icu_stream.contracts.signals import INDEX
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import absence, annunciation, sharing
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.patient import STATUSES, Device, Patient


SEARCHING = "searching"
MEASURING = "measuring"
# A cuff that inflates on the arm of the oximeter takes its pulse away.
CUFF, BELOW_A_CUFF = "nibp_", "spo2"


def heed(bedside: Bedside, device: Device, vitals: Vitals, time: int) -> None:
    """Begin what a message that is not late says; changes the patient.

    Args:
        bedside: Where.
        device: Whose message.
        vitals: The message.
        time: Its measurement time.
    """
    if not (vitals.status or device.searching):
        return
    patient = bedside.patient
    rows = {}
    for code in sorted(set(vitals.status) & INDEX.keys(), key=INDEX.__getitem__):
        word = vitals.status[code]
        if word not in STATUSES or code in vitals.values:
            continue
        onset = time
        row = bedside.rules.rows[f"{code}.{word}"]
        track = patient.tracks.get(code)
        if word == SEARCHING:
            onset = rows[code] = device.searching.get(code, time)
            if code not in patient.busy:
                # A value of it, whoever's, must be looked at: it breaks the row.
                patient.busy.add(code)
                patient.unbind()
        if time < onset + row.delay_ms or track is None or not track.is_expected:
            continue
        if _may_begin(patient, device, code, word, time):
            end(bedside, code, time)
            annunciation.begin(bedside, row, onset, time)
            patient.busy.add(code)
            patient.unbind()
    device.searching = rows


def _may_begin(
    patient: Patient, device: Device, code: str, word: str, time: int
) -> bool:
    if patient.is_holding(f"{code}.{word}") or patient.is_holding(f"{code}.no_data"):
        return False
    if patient.is_holding(absence.BED):
        return False
    return not sharing.others(patient, patient.tracks[code], device.name, time)


def end(bedside: Bedside, code: str, time: int) -> bool:
    """End what any device said about a signal; was there anything?"""
    patient = bedside.patient
    was_there = False
    for word in STATUSES:
        if patient.is_holding(f"{code}.{word}"):
            annunciation.end(bedside, f"{code}.{word}", time)
            was_there = True
    if was_there:
        break_rows(patient, code)
    return was_there


def break_rows(patient: Patient, code: str) -> None:
    """Let every device's search for a signal count anew."""
    for device in patient.devices.values():
        if device.searching:
            device.searching.pop(code, None)


def is_about(vitals: Vitals, code: str) -> bool:
    """Does the message say of its own value that its sensor was off (rule 22 e)?"""
    return vitals.status.get(code) in STATUSES


def is_cuff_measuring(vitals: Vitals) -> bool:
    """Does a cuff inflate (rule 22 d)?"""
    return any(
        word == MEASURING and code.startswith(CUFF)
        for code, word in vitals.status.items()
    )


def is_calm(patient: Patient, vitals: Vitals) -> bool:
    """Would the next message change nothing by saying the same again?

    As long as no value of the signals comes and none of their alarms ends: both lead
    all devices to the careful path (`Patient.unbind`).
    """
    for code, word in vitals.status.items():
        if word == MEASURING and code.startswith(CUFF):
            return False
        if word not in STATUSES or code not in INDEX:
            continue
        if code in vitals.values:
            return False
        track = patient.tracks.get(code)
        if track is None or not track.is_expected:
            continue
        alarms = (f"{code}.{word}", f"{code}.no_data")
        if not any(patient.is_holding(alarm) for alarm in alarms):
            return False
    return True
