"""What a docstring shows is so."""

import doctest
import importlib
import pkgutil

from types import ModuleType

import pytest

from icu_stream import contracts, domain, gateways


def modules(package: ModuleType) -> list[str]:
    return [
        module.name
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]


STORAGE = [
    f"icu_stream.storage.{name}"
    for name in ("influx", "intake", "partitions", "records", "sampling")
]


@pytest.mark.parametrize(
    "name",
    [*modules(contracts), *modules(domain), *modules(gateways), *STORAGE],
)
def test_every_example_in_a_docstring_is_so(name):
    failed, _ = doctest.testmod(importlib.import_module(name))

    assert failed == 0
