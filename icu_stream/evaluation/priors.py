"""The command `train`: learn a prior from its cohort's training part, and write its file."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import msgspec

from icu_stream.domain.risk import Prior, Risk
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation import cohorts, designs, learner, splits, training
from icu_stream.evaluation.splits import Split


NAMES = tuple(designs.DESIGNS)


def load(name: str) -> Risk:
    """A shipped prior by name.

    Raises:
        ConfigurationError: No such prior, or its file is damaged.
    """
    file = resources.files("icu_stream") / "priors" / f"{name}.json"
    if not file.is_file():
        msg = f"no risk prior {name!r}: want one of {', '.join(NAMES)}"
        raise ConfigurationError(msg)
    return Risk.load(file.read_bytes())


def physionet_split(shared: Path) -> Split:
    """Set A, 2,800 stays to learn from."""
    return splits.by_count(
        cohorts.physionet_2012(shared / "data" / "physionet-2012"),
        splits.SALTS["physionet-2012"],
        splits.PHYSIONET_TRAINING,
    )


def eicu_split(shared: Path, task: str) -> Split:
    """The eICU demo, half of it to learn from."""
    return splits.by_half(
        cohorts.eicu_hourly(shared / "data" / "eicu-demo-hourly", task),
        splits.SALTS["eicu"],
    )


def train(name: str, shared: Path) -> Prior:
    """Learn a prior from its cohort's training part.

    Raises:
        ConfigurationError: No such prior, or its data are not there.
    """
    design = designs.DESIGNS.get(name)
    if design is None:
        msg = f"no risk prior {name!r}: want one of {', '.join(NAMES)}"
        raise ConfigurationError(msg)
    if design is designs.MORTALITY:
        stays = physionet_split(shared).training
        table = training.landmarks(training.tabulate(stays, design.empty))
    else:
        stays = eicu_split(shared, name).training
        table = training.tabulate(stays, design.empty)
    return learner.written(design.empty, training.train(design, table), len(stays))


def run(name: str, shared: Path, output: Path, say: Callable[[str], None]) -> None:
    """Train and write one prior's file.

    Args:
        name: Which prior.
        shared: The folder with `data/`.
        output: The file.
        say: Is told what came of it.
    """
    prior = train(name, shared)
    output.write_bytes(
        msgspec.json.format(msgspec.json.encode(prior), indent=1) + b"\n"
    )
    say(
        f"{prior.name} {prior.version}: {prior.outcome}, learnt from {prior.stays:,} stays; "
        f"wrote {output}"
    )
