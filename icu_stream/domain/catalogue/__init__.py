"""What is said, in each language: texts of alerts and their explanations.

`explain` decides what is said; a catalogue says it. A language is one module with one
`Catalogue`, listed here; `docs/texts.md` shows every sentence in each of them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from icu_stream.domain.catalogue import de, en
from icu_stream.domain.catalogue.entries import (
    Catalogue,
    differences,
    entries,
    field_names,
)


__all__ = ["LANGUAGES", "Catalogue", "differences", "entries", "field_names"]

# The first one is the reference: every other one has its entries and their fields.
LANGUAGES: Mapping[str, Catalogue] = MappingProxyType(
    {"en": en.CATALOGUE, "de": de.CATALOGUE}
)
