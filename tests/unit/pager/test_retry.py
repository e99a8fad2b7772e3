"""Which answer is tried again, and when: one table for all channels."""

import pytest

from icu_stream.errors import DeliveryError
from icu_stream.pager import posting, retry
from icu_stream.pager.retry import Verdict


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (202, Verdict.DELIVERED),
        (299, Verdict.DELIVERED),
        (300, Verdict.REFUSED),
        (302, Verdict.REFUSED),
        (400, Verdict.REFUSED),
        (401, Verdict.REFUSED),
        (404, Verdict.REFUSED),
        (408, Verdict.AGAIN),
        (409, Verdict.REFUSED),
        (410, Verdict.GONE),
        (413, Verdict.REFUSED),
        (425, Verdict.AGAIN),
        (429, Verdict.AGAIN),
        (500, Verdict.AGAIN),
        (502, Verdict.AGAIN),
        (503, Verdict.AGAIN),
        (599, Verdict.AGAIN),
    ],
)
def test_what_a_status_means(status, verdict):
    assert retry.verdict(status) is verdict


def test_the_wait_doubles_up_to_a_minute_and_is_drawn_from_its_second_half():
    for attempts, longest in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (500, 60)]:
        waits = [retry.wait_s(attempts) for _ in range(50)]

        assert longest / 2 <= min(waits)
        assert max(waits) <= longest
        assert len(set(waits)) > 40


def test_what_the_target_asks_for_is_waited_for():
    assert retry.wait_s(1, asked=37.0) == 37.0


def test_an_answer_says_when_to_come_again_and_whether_at_all():
    def judged(status: int, header: str | None = None) -> DeliveryError:
        with pytest.raises(DeliveryError) as caught:
            posting.judge(retry.verdict(status), f"answered {status}", header)
        return caught.value

    assert judged(503, "17").retry_after_s == 17
    assert judged(500).retry_after_s == 0
    assert judged(400, "17").retry_after_s is None
    assert judged(410).is_gone
    assert judged(410).retry_after_s is None
    assert not judged(404).is_gone
    posting.judge(Verdict.DELIVERED, "answered 200")


def test_no_answer_is_told_without_the_address():
    error = posting.unanswered(
        ConnectionRefusedError(111, "refused", "https://pager.example/secret-token")
    )

    assert str(error) == "no answer: refused"
    assert error.retry_after_s == 0
