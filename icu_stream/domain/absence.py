"""Silence: no-data alarms of signals and of the whole bed.

Rules 14 to 17 of `docs/alarms.md`. What is due is computed from what was heard last, so
it cannot be forgotten; silence itself clears nothing.
"""

from icu_stream.domain import annunciation
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.limits import FOREVER_MS
from icu_stream.domain.patient import Patient, Track


BED = "bed.no_data"


def bed_due(patient: Patient) -> int | None:
    """When the bed's silence is an alarm; None when it is one, or nothing is expected."""
    if not patient.heard or patient.is_holding(BED):
        return None
    if not any(track.is_expected for track in patient.tracks.values()):
        return None
    return patient.heard + patient.bed_ms


def signal_due(patient: Patient, code: str, track: Track) -> int | None:
    """When the silence of one expected signal is an alarm.

    Args:
        patient: Settled.
        code: The signal.
        track: Its own.

    Returns:
        None when it is one already, when the bed's silence or what a device says stands
        for it, or when the whole bed seems to be falling silent, which is then the bed's alarm.
    """
    due = track.heard + track.no_data_ms
    has_spoken = patient.heard - track.heard >= track.wait_ms
    # A slow device may have spoken last: its bed's time must not hide a fast one.
    is_bed_far = patient.heard + patient.bed_ms - due >= track.wait_ms
    if not (has_spoken or is_bed_far) or track.no_data_ms >= FOREVER_MS:
        return None
    if patient.is_holding(BED) or patient.is_missing(code):
        return None
    return max(due, patient.heard)


def begin_bed(bedside: Bedside, due: int) -> None:
    """Raise `bed.no_data` at its due."""
    annunciation.begin(bedside, bedside.rules.rows[BED], due, due)
    bedside.patient.unbind()


def begin_signal(bedside: Bedside, code: str, moment: int) -> None:
    """Raise `<signal>.no_data`; its onset is its due, its moment may be later."""
    patient = bedside.patient
    track = patient.tracks[code]
    row = bedside.rules.rows[f"{code}.no_data"]
    annunciation.begin(bedside, row, track.heard + track.no_data_ms, moment)
    patient.busy.add(code)
    patient.unbind()
