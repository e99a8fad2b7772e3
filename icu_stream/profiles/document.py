"""The text of a profile: TOML, perhaps on a base, and on which line each row stands.

A profile that begins with `base = "adult"` is that one with some rows in other words: a
row of the same code replaces what it names, and says its own source; a section stands
for the whole section. tomllib keeps no lines, so they are found in the text again.
"""

import re
import tomllib

from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from icu_stream.errors import ConfigurationError


_HEADER = re.compile(r"^\s*\[\[?\s*([\w-]+)\s*\]\]?\s*(?:#.*)?$")
_CODE = re.compile(r"""^\s*code\s*=\s*["']([^"']*)["']""")
_PACKAGE = __package__ or ""
# A chain of bases is no longer than a person can follow (ours).
_MOST_BASES = 4


class Place(NamedTuple):
    """Where a row stands."""

    file: str
    line: int


class Document(NamedTuple):
    """A profile as it was written.

    Attributes:
        file: Its name.
        content: Of the file, on its base.
        places: By section, and code or number of the row, where it stands. Of a section
            that is no table of rows: by "section" and its name.
    """

    file: str
    content: dict[str, Any]
    places: dict[tuple[str, object], Place]

    def where(self, section: str, code: object) -> str:
        """File and line of a row, as far as they are known."""
        place = self.places.get((section, code))
        if place is None:
            return f"profile {self.file}"
        return f"profile {place.file}, line {place.line}"


def read(name_or_path: str, depth: int = 0) -> Document:
    """Read a profile and what it is based on.

    Args:
        name_or_path: The name of a profile that is shipped, or the path of a `.toml`.
        depth: So many profiles are based on it already.

    Raises:
        ConfigurationError: No such file, not TOML, or a base that is none.
    """
    file, text = _text(name_or_path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"profile {file}: not TOML: {error}"
        raise ConfigurationError(msg) from error
    document = Document(file, content, _places(file, text))
    base = content.pop("base", None)
    if base is None:
        return document
    if not isinstance(base, str) or depth >= _MOST_BASES:
        msg = f"profile {file}: base {base!r}: want the name of a profile that has none"
        raise ConfigurationError(msg)
    return _on(read(base, depth + 1), document)


def shipped() -> list[str]:
    """The names of the profiles of the package."""
    return sorted(
        Path(item.name).stem
        for item in resources.files(_PACKAGE).iterdir()
        if item.name.endswith(".toml")
    )


def _text(name_or_path: str) -> tuple[str, str]:
    path = Path(name_or_path)
    if path.suffix != ".toml" and path.name == name_or_path:
        entry = resources.files(_PACKAGE) / f"{name_or_path}.toml"
        if not entry.is_file():
            msg = (
                f"profile {name_or_path}: not among those shipped "
                f"({', '.join(shipped())}); to use a file of your own, give its path"
            )
            raise ConfigurationError(msg)
        return entry.name, entry.read_text("utf-8")
    try:
        return path.name, path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"profile {path}: {error}"
        raise ConfigurationError(msg) from error


def _places(file: str, text: str) -> dict[tuple[str, object], Place]:
    places: dict[tuple[str, object], Place] = {}
    counts: dict[str, int] = {}
    section = ""
    for line, content in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(content):
            section = header[1]
            counts[section] = counts.get(section, 0) + 1
            places.setdefault(("section", section), Place(file, line))
            places[section, counts[section]] = Place(file, line)
        elif code := _CODE.match(content):
            places[section, code[1]] = Place(file, line)
    return places


def _on(base: Document, own: Document) -> Document:
    """One profile on another."""
    content = dict(base.content)
    for section, value in own.content.items():
        rows = content.get(section)
        if isinstance(value, list) and isinstance(rows, list):
            content[section] = _rows_on(rows, value, own, section)
        else:
            content[section] = value
    return Document(own.file, content, base.places | own.places)


def _rows_on(
    base: list[Any], own: list[Any], document: Document, section: str
) -> list[Any]:
    rows = {row["code"]: row for row in base}
    seen = set()
    for number, row in enumerate(own, 1):
        code = row.get("code") if isinstance(row, dict) else None
        where = document.where(section, code or number)
        if code is None or code in seen:
            msg = f"{where}, {section} {code or number}: want one row with a code of its own"
            raise ConfigurationError(msg)
        seen.add(code)
        if code in rows and "source" not in row:
            msg = (
                f"{where}, {section} {code}: source missing: where is the number from?"
            )
            raise ConfigurationError(msg)
        rows[code] = rows.get(code, {}) | row
    return list(rows.values())
