"""One reader a recording format: files in, vitals with gaps out.

A format is recognised by what a file holds, never by its name alone. A reader turns one
recording into streams; each stream is read lazily, in the order of its time, and leaves
out what was not measured: nothing is filled in, rounded or corrected.
"""

import importlib
import tarfile

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ConfigurationError


# Where a recording without a date starts: 2000-01-01T00:00Z (ours; any moment would do,
# but one before 1970 or at 0 would look like a broken clock).
UNDATED_MS = 946_684_800_000

# Compressed or plain tar archives that Python's tarfile can read as a stream.
_ARCHIVES = (b"\xfd7zXZ\x00", b"\x1f\x8b", b"BZh")
_TAR_MAGIC = (257, b"ustar")


class Stream(NamedTuple):
    """Part of a recording whose messages come in the order of their time.

    Attributes:
        origin_ms: The moment of the recording's clock that lies on the same moment for
            all streams when the recording is moved to another date, epoch ms UTC.
        read: Gives the messages, each moved by this many milliseconds.
    """

    origin_ms: int
    read: Callable[[int], Iterator[Vitals]]


def open_recording(path: Path, patients: int | None = None) -> list[Stream]:
    """Recognise a recording and open it.

    Args:
        path: A file or a directory; a WFDB record may be named without `.hea`.
        patients: Only the first so many; None for all.

    Raises:
        ConfigurationError: Not there, not known, empty, or not readable.
    """
    if not path.exists() and path.with_name(f"{path.name}.hea").exists():
        path = path.with_name(f"{path.name}.hea")
    if not path.exists():
        msg = f"{path} does not exist: name a recording (docs/sources.md lists formats)"
        raise ConfigurationError(msg)
    try:
        return _reader(path)(path, patients)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: object) -> ConfigurationError:
    """A file that is recognised, but cannot be read to its end."""
    return ConfigurationError(
        f"{path} cannot be read ({error}): check the file, copy or download it again"
    )


def bed(number: int) -> str:
    """A place for a recorded patient: recordings do not say where the patient lay."""
    return f"R-{number:04d}"


def _reader(path: Path) -> Callable[[Path, int | None], list[Stream]]:
    known = _directory_format(path) if path.is_dir() else _file_format(path)
    if known is None:
        msg = (
            f"{path} is no recording that can be read: want WFDB numerics (.hea), "
            "PhysioNet 2012 text or its .tar.xz, an eICU *_dyn.parquet, or CSV with "
            "the columns patient_id and time (docs/sources.md)"
        )
        raise ConfigurationError(msg)
    # Imported when needed: wfdb and pyarrow take over a second.
    module = importlib.import_module(f"{__name__}.{known}")
    opened: Callable[[Path, int | None], list[Stream]] = module.open_streams
    return opened


def _file_format(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        msg = f"{path} is empty: copy or download it again"
        raise ConfigurationError(msg)
    first = head.splitlines()[0].removeprefix(b"\xef\xbb\xbf").strip()
    at, magic = _TAR_MAGIC
    if head.startswith(_ARCHIVES) or head[at : at + len(magic)] == magic:
        return "physionet2012"
    if head.startswith(b"PAR1"):
        return "eicu"
    if first == b"Time,Parameter,Value":
        return "physionet2012"
    if b"patient_id" in first and b"time" in first:
        return "table"
    if path.suffix == ".hea":
        return "wfdb_numerics"
    return None


def _directory_format(path: Path) -> str | None:
    formats = {
        known
        for file in sorted(path.iterdir())
        if file.suffix in {".hea", ".txt", ".parquet"} and file.stat().st_size
        if (known := _file_format(file)) is not None
    }
    if len(formats) > 1:
        msg = f"{path} holds recordings of several formats: name one file of it"
        raise ConfigurationError(msg)
    return next(iter(formats), None)
