"""On which line of a TOML text each table and key stands; tomllib does not keep it."""

import re


# A bare or a quoted key; dots between them.
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(rf"^\s*({_DOTTED})\s*=")
_SPLIT = re.compile(_PART)

Path = tuple[str | int, ...]


def lines(text: str) -> dict[Path, int]:
    r"""The line of each table and key.

    >>> text = "a = 1\n[b.c]\nd = 2\n[[b.e]]\nf = 3\n[[b.e]]\nf = 4\n"
    >>> found = lines(text)
    >>> found["a",], found["b", "c"], found["b", "c", "d"], found["b", "e", 1, "f"]
    (1, 2, 3, 7)
    """
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    inside: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            inside = _parts(header[2])
            if header[1] == "[[":
                index = counts.get(inside, 0)
                counts[inside] = index + 1
                found.setdefault(inside, number)
                inside = (*inside, index)
            found.setdefault(inside, number)
        elif key := _KEY.match(line):
            found.setdefault((*inside, *_parts(key[1])), number)
    return found


def nearest(found: dict[Path, int], path: Path) -> int | None:
    """The line of a path, or of what it is in."""
    for length in range(len(path), 0, -1):
        if path[:length] in found:
            return found[path[:length]]
    return None


def named(path: Path) -> str:
    """A path as a person writes it.

    >>> named(("unit", "icu1", "high", "level", 0, "page"))
    'unit.icu1.high.level[0].page'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in _SPLIT.findall(dotted))
