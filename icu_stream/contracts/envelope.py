"""CloudEvents 1.0 headers, Kafka protocol binding, binary content mode."""

from icu_stream.contracts.alerts import Alert


Headers = list[tuple[str, bytes]]

ALERT_TYPE = b"icu_stream.alert.v1"
SOURCE = b"/icu-stream/worker"
# Kafka header of a record that has been sent on to the partition it belongs to.
FORWARDED = "icu-forwarded"
# Kafka header of a vitals record whose value is a Command, put in order by the worker.
COMMAND = "icu-command"
# Kafka header of a vitals record by which the worker's clock says that time passes.
TICK = "icu-tick"
# Kafka header of a vitals record that was recorded earlier: its arrival says nothing.
REPLAY = "icu-replay"


def alert_headers(alert: Alert) -> Headers:
    """Headers of one alert; `ce_id` names the transition, so repeats can be dropped.

    A `standing` restates the last transition at a later moment; its id says when.
    """
    ce_id = f"{alert.alert_id}/{alert.transition}"
    if alert.event == "standing":
        ce_id = f"{ce_id}@{alert.time}"
    return [
        ("ce_specversion", b"1.0"),
        ("ce_type", ALERT_TYPE),
        ("ce_source", SOURCE),
        ("ce_id", ce_id.encode()),
        ("ce_subject", alert.patient_id.encode()),
        ("content-type", b"application/json"),
    ]
