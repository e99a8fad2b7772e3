"""The past of a patient from the store, and this view's own where that lacks something."""

from collections.abc import Sequence

from icu_stream.contracts.scores import News2, Scores
from icu_stream.errors import StorageError
from icu_stream.storage.intake import Measured
from icu_stream.storage.reading import Page
from icu_stream.storage.sampling import Figures, Point
from icu_stream.ward.history import Past, Seen
from icu_stream.ward.stored import Stored


NOW = 1_795_492_541_000
STEP = 10_000
START = (NOW // STEP + 1 - 360) * STEP


class Reader:
    """A store of one patient in memory."""

    name = "memory"

    def __init__(self) -> None:
        self.kept: dict[str, list[Figures]] = {}
        self.scored: list[Scores] = []
        self.is_away = False
        self.asked = 0

    async def vitals(
        self,
        patient_id: str,
        start_ms: int,
        end_ms: int,
        *,
        after: str | None = None,
        most: int = 1_000,
    ) -> Page[Measured]:
        return Page([], None)

    async def values(
        self, patient_id: str, signals: Sequence[str], start_ms: int, end_ms: int
    ) -> dict[str, list[Point]]:
        return {}

    async def figures(
        self,
        patient_id: str,
        signals: Sequence[str] | None,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        now_ms: int,
    ) -> dict[str, list[Figures]]:
        self.asked += 1
        if self.is_away:
            msg = "PostgreSQL: no answer"
            raise StorageError(msg, retry_after_s=1)
        return self.kept

    async def scores(
        self,
        patient_id: str,
        start_ms: int,
        end_ms: int,
        *,
        after: str | None = None,
        most: int = 1_000,
    ) -> Page[Scores]:
        return Page(self.scored, None)


def seen_now() -> Seen:
    past = Past()
    past.measure({"hr": 90.0, "spo2": 97.0}, NOW - 1_000, NOW)
    return Seen(lambda patient_id: past if patient_id == "p" else None)


async def test_the_store_tells_and_this_view_fills_what_it_lacks():
    reader = Reader()
    reader.kept = {"hr": [Figures(START + 20_000, 0.0, 220.0, 80.04, 10, 81.0)]}
    news2 = News2(total=5, band="medium", completeness=6, inputs={})
    reader.scored = [Scores(patient_id="p", bed="B", time=START + 25_000, news2=news2)]

    course = await Stored(reader, seen_now()).course("p", 1, NOW)

    assert course is not None
    assert (course.source, course.since) == ("store", START + 20_000)
    hr = course.lines["hr"]
    assert (hr.low[2], hr.high[2], hr.mean[2]) == (0.0, 220.0, 80.0)
    assert hr.mean[-1] == 90.0  # this view's own
    assert hr.mean[3:-2] == [None] * 355
    assert list(course.lines) == ["hr", "spo2"]
    assert course.news2[2] == 5


async def test_a_patient_of_yesterday_is_known_to_the_store_alone():
    reader = Reader()
    stored = Stored(reader, seen_now())

    nobody = await stored.course("q", 1, NOW)
    reader.kept = {"hr": [Figures(START, 80.0, 80.0, 80.0, 1, 80.0)]}
    course = await stored.course("q", 1, NOW)

    assert nobody is None
    assert course is not None
    assert course.lines["hr"].mean[0] == 80.0


async def test_what_no_instrument_can_show_is_no_step():
    reader = Reader()
    reader.kept = {"spo2": [Figures(START, 97.0, 999.0, 120.0, 10, 97.0)]}

    course = await Stored(reader, seen_now()).course("q", 1, NOW)

    assert course is not None
    assert course.lines["spo2"].high[0] is None


async def test_a_store_that_does_not_answer_is_said_and_left_alone():
    reader = Reader()
    reader.is_away = True
    stored = Stored(reader, seen_now())

    course = await stored.course("p", 1, NOW)
    again = await stored.course("p", 1, NOW)

    assert course is not None
    assert course.source == "unanswered"
    assert course.lines["hr"].mean[-1] == 90.0
    assert again == course
    assert reader.asked == 1
