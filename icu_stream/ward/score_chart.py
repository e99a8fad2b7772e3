"""NEWS2's own chart as it is printed: which value is in which column.

The scores come from the worker; here is only where each band stands, so that a person sees
at a glance how far a value is from the next one. A test holds the chart against
`icu_stream.domain.news2` at every value.

Source: Royal College of Physicians. National Early Warning Score (NEWS) 2, 2017, chart 1.
"""

from typing import NamedTuple

from icu_stream.domain import news2


# Columns of the chart, from left to right.
POINTS = (3, 2, 1, 0, 1, 2, 3)
_AIR, _OXYGEN = "air", "oxygen"


class Band(NamedTuple):
    """One band: from a value to another, both included, or a word.

    Attributes:
        low: None: no lower end.
        high: None: no upper end.
        word: A letter of ACVPU, `air` or `oxygen`: alone, or that the band wants besides.
    """

    low: float | None = None
    high: float | None = None
    word: str | None = None


Row = tuple[tuple[Band, ...], ...]
_EMPTY: tuple[Band, ...] = ()


def _row(*cells: Band | tuple[float | None, float | None] | None) -> Row:
    return tuple(
        _EMPTY if cell is None else (cell if isinstance(cell, Band) else Band(*cell),)
        for cell in cells
    )


_ROWS: dict[str, Row] = {
    "rr": _row((None, 8), None, (9, 11), (12, 20), None, (21, 24), (25, None)),
    "spo2": _row((None, 91), (92, 93), (94, 95), (96, None), None, None, None),
    "on_oxygen": _row(
        None, Band(word=_OXYGEN), None, Band(word=_AIR), None, None, None
    ),
    "sys": _row((None, 90), (91, 100), (101, 110), (111, 219), None, None, (220, None)),
    "pulse": _row(
        (None, 40), None, (41, 50), (51, 90), (91, 110), (111, 130), (131, None)
    ),
    "acvpu": (
        *[_EMPTY] * 3,
        (Band(word="A"),),
        *[_EMPTY] * 2,
        tuple(Band(word=letter) for letter in "CVPU"),
    ),
    "temp": _row(
        (None, 35.0), None, (35.1, 36.0), (36.1, 38.0), (38.1, 39.0), (39.1, None), None
    ),
}
_SCALE_2: Row = (
    (Band(None, 83),),
    (Band(84, 85),),
    (Band(86, 87),),
    (Band(88, 92), Band(93, None, _AIR)),
    (Band(93, 94, _OXYGEN),),
    (Band(95, 96, _OXYGEN),),
    (Band(97, None, _OXYGEN),),
)
_DIGITS = {"temp": 1}


def row(name: str, spo2_scale: int) -> Row:
    """The bands of one input in the seven columns."""
    return _SCALE_2 if name == "spo2" and spo2_scale == 2 else _ROWS[name]


def column(
    name: str, value: float | str | bool, spo2_scale: int, on_oxygen: bool | None
) -> int | None:
    """The column of a value; None where it hangs on oxygen and that is not known.

    >>> column("rr", 20.5, 1, None), column("spo2", 93, 2, None), column("spo2", 93, 2, False)
    (5, None, 3)
    """
    said = {True: _OXYGEN, False: _AIR, None: None}[on_oxygen]
    for number, cell in enumerate(row(name, spo2_scale)):
        for band in cell:
            if isinstance(value, bool):
                if band.word == (_OXYGEN if value else _AIR):
                    return number
            elif isinstance(value, str):
                if band.word == value:
                    return number
            elif band.word in {None, said} and _is_in(
                band, news2.charted(value, _DIGITS.get(name, 0))
            ):
                return number
    return None


def _is_in(band: Band, value: float) -> bool:
    return (band.low is None or value >= band.low) and (
        band.high is None or value <= band.high
    )
