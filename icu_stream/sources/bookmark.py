"""Where a replay was stopped: one small file a replay, below the data directory."""

import hashlib

from pathlib import Path

import msgspec

from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds.

    Attributes:
        recording: Path of the recording.
        fingerprint: Its size and date: a changed recording cannot be resumed.
        start_ms: Where its first message was moved to; None when it was not moved.
        acknowledged: Messages that Kafka has confirmed, by partition.
    """

    recording: str
    fingerprint: str
    start_ms: int | None
    acknowledged: list[int]


class Bookmark:
    """The resume file of one replay: of one recording, with one set of options.

    The speed is no part of it: a replay may go on faster or slower than it began.
    """

    def __init__(
        self, settings: Settings, recording: Path, start: str, patients: int | None
    ) -> None:
        self._recording = recording.resolve()
        self._partitions = settings.partitions
        options = (
            str(self._recording),
            start,
            str(patients),
            settings.topic_prefix,
            settings.broker,
        )
        digest = hashlib.sha256("\0".join(options).encode()).hexdigest()[:16]
        self._file = settings.data_dir / "replay" / f"{digest}.json"

    @property
    def exists(self) -> bool:
        """Is there a stopped replay to go on with?"""
        return self._file.exists()

    def read(self) -> Place:
        """Where the replay was.

        Raises:
            ConfigurationError: There is none, or it does not fit any more.
        """
        again = "run it without --resume to start anew"
        try:
            place = msgspec.json.decode(self._file.read_bytes(), type=Place)
        except FileNotFoundError:
            msg = (
                f"no stopped replay of {self._recording} with these options in "
                f"{self._file.parent}; {again}"
            )
            raise ConfigurationError(msg) from None
        except (OSError, msgspec.MsgspecError) as error:
            msg = f"{self._file} cannot be read ({error}); {again}"
            raise ConfigurationError(msg) from error
        if place.fingerprint != self._fingerprint():
            msg = f"{self._recording} has changed since it was stopped; {again}"
            raise ConfigurationError(msg)
        if len(place.acknowledged) != self._partitions:
            msg = (
                f"the replay was stopped with {len(place.acknowledged)} partitions, "
                f"now there are {self._partitions}; {again}"
            )
            raise ConfigurationError(msg)
        return place

    def write(self, start_ms: int | None, acknowledged: list[int]) -> None:
        """Put down where the replay is; the file is replaced as a whole."""
        place = Place(
            recording=str(self._recording),
            fingerprint=self._fingerprint(),
            start_ms=start_ms,
            acknowledged=acknowledged,
        )
        new = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(msgspec.json.encode(place))
            new.replace(self._file)
        except OSError as error:
            msg = f"the resume file cannot be written ({error}); see ICU_DATA_DIR"
            raise ConfigurationError(msg) from error

    def remove(self) -> None:
        """The replay has come to its end: there is nothing to go on with."""
        self._file.unlink(missing_ok=True)

    def _fingerprint(self) -> str:
        """Sizes and dates of the recording's files."""
        files = (
            sorted(self._recording.iterdir())
            if self._recording.is_dir()
            else [self._recording]
        )
        stats = [
            (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files
        ]
        return hashlib.sha256(repr(stats).encode()).hexdigest()[:16]
