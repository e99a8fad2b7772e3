"""What may be asked of a store of vitals and scores, whichever it is."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from icu_stream.contracts.scores import Scores
from icu_stream.storage.intake import Measured
from icu_stream.storage.sampling import Figures, Point


T = TypeVar("T")
MOST = 10_000  # rows of one page


class Page(NamedTuple, Generic[T]):
    """Some rows.

    Attributes:
        rows: In their order.
        after: The cursor of what comes after them; None: nothing does now.
    """

    rows: list[T]
    after: str | None


class SeriesReader(Protocol):
    """The reading side of vitals and scores, of either store."""

    name: str

    async def vitals(
        self,
        patient_id: str,
        start_ms: int,
        end_ms: int,
        *,
        after: str | None = None,
        most: int = 1_000,
    ) -> Page[Measured]:
        """Messages of one patient as they were measured, oldest first.

        Args:
            patient_id: Whose.
            start_ms: From then on, by the device's clock.
            end_ms: Until then; not in it.
            after: The cursor of the page before.
            most: How many at most.

        Raises:
            ContractError: `after` is no cursor of ours.
            StorageError: The store does not answer.
        """

    async def values(
        self, patient_id: str, signals: Sequence[str], start_ms: int, end_ms: int
    ) -> dict[str, list[Point]]:
        """Each value of some signals with its time, oldest first; none: not in it."""

    async def figures(
        self,
        patient_id: str,
        signals: Sequence[str] | None,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        now_ms: int,
    ) -> dict[str, list[Figures]]:
        """Least, greatest, mean, number and last value of each step that has one.

        Args:
            patient_id: Whose.
            signals: Which; None: all that there are.
            start_ms: From then on; the step that it lies in is whole.
            end_ms: Until then; not in it.
            step_ms: Length of a step. Of whole minutes it is answered from downsamples,
                which are kept longer (`ICU_RETENTION_COARSE_DAYS`).
            now_ms: By our clock.
        """

    async def scores(
        self,
        patient_id: str,
        start_ms: int,
        end_ms: int,
        *,
        after: str | None = None,
        most: int = 1_000,
    ) -> Page[Scores]:
        """Scores of one patient, oldest first; as `vitals`."""
