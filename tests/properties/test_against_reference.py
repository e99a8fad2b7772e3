"""The core and the reference agree on nasty logs.

`REFERENCE_LOGS` says how many logs (default 700, about 45 s), `REFERENCE_SEED` which
is the first. A difference is shown with the shortest log that has it.
"""

import os

from collections.abc import Sequence

import pytest

from tests.integration import core
from tests.integration.reference import Record, outcome_of
from tests.properties import nasty


LOGS = int(os.environ.get("REFERENCE_LOGS", "700"))
SEED = int(os.environ.get("REFERENCE_SEED", "0"))


# A log takes about 20 ms; ten times that is a busy machine.
@pytest.mark.timeout(300 + LOGS / 5)
def test_thousands_of_nasty_logs_give_the_same_alarms_twice() -> None:
    for seed in range(SEED, SEED + LOGS):
        made = nasty.Nasty(seed)
        log = made.records()

        found = core.differences(nasty.PATIENT, log, outcome_of(made.patient))

        assert not found, shown(seed, log)


@pytest.mark.timeout(300 + LOGS / 5)
def test_a_restart_in_the_middle_changes_no_byte() -> None:
    for seed in range(SEED, SEED + LOGS // 10):
        log = nasty.log(seed)

        unbroken = core.expected(nasty.PATIENT, log)

        every = 1 + seed % 7
        assert core.expected(nasty.PATIENT, log, restart_every=every) == unbroken, seed


def differs(log: Sequence[Record]) -> bool:
    """Do core and reference differ on it?"""
    return bool(core.differences(nasty.PATIENT, log))


def shown(seed: int, log: Sequence[Record]) -> str:
    """The shortest log that shows the difference, a record a line."""
    short = nasty.shrunk(log, differs)
    found = core.differences(nasty.PATIENT, short)
    return "\n".join([f"seed {seed}:", *map(repr, short), *found])
