"""The words of the ward view: one TOML file a language, and what JavaScript needs.

`icu_stream.ward.wording` loads them and says how they are used; `words.js` is the same in
a browser. A new word goes into every file, with the same fields; a test compares them.
"""

import re
import tomllib

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any


LANGUAGES = ("en", "de")  # the first one is the reference
_FIELD = re.compile(r"\{(\w+)\}")


@cache
def words(language: str) -> Mapping[str, str]:
    """Every word of a language by its key: tables' names and its own, with dots.

    >>> words("en")["bar.complete"], words("de")["count.beds.one"]
    ('Alarms complete at {at}', '{n} Bett')
    """
    text = resources.files(__name__).joinpath(f"{language}.toml").read_text("utf-8")
    return MappingProxyType(dict(_flat(tomllib.loads(text), "")))


def script() -> str:
    """The JavaScript that uses the words: a function of what `Words.site` gives."""
    return resources.files(__name__).joinpath("words.js").read_text("utf-8")


def fields(text: str) -> set[str]:
    """The fields of a word.

    >>> sorted(fields("{type} at {where}: "))
    ['type', 'where']
    """
    return set(_FIELD.findall(text))


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from _flat(value, f"{prefix}{key}.")
