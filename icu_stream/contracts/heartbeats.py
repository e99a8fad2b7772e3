"""What each worker says every second of each partition that it owns."""

import msgspec


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One worker, one partition, one second.

    Attributes:
        worker: Which worker: host and process id.
        partition: Of the vitals topic.
        time: By the worker's clock, epoch ms UTC.
        lag: Records between the last applied and the end of the partition.
        patients: Patients in memory.
        applied: Offset of the last applied record; -1 when there is none.
        checkpoint_age_s: Seconds since the last checkpoint, 0 when all is saved.
    """

    worker: str
    partition: int
    time: int
    lag: int
    patients: int
    applied: int
    checkpoint_age_s: float
