"""Imports libraries without what they import for functions that we do not call."""

import sys
import warnings

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """Inside, these are not there for who imports them, unless they are imported already.

    A library that imports something where it finds it then does without, and need not
    warn that it does. Afterwards they can be imported as ever.
    """
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)  # type: ignore[arg-type]  # None: not to be found
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in hidden:
            del sys.modules[name]
