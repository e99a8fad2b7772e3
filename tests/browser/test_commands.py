"""What is posted as a command: who may, what is refused, and what is none at all."""

import json
import uuid

from typing import Any

import pytest

from tests.browser.chain import Chain
from tests.browser.hospital import Hospital, WardView
from tests.browser.test_signin import fetch


pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_refusal_says_why(chain: Chain):
    async with chain.take(1) as (bed,):
        patient = bed.patient_id
        status, answer = await post(
            chain.view,
            type="acknowledge",
            patient=patient,
            alert=f"{patient}:hr.high:1",
        )

    assert (status, answer["fate"]) == (409, "refused")
    assert answer["reason"] == "this patient has no such alarm"


async def post(view: WardView, **wish: Any) -> tuple[int, dict[str, str]]:
    """One command, as the page posts it."""
    status, _, body = await ask(view, json.dumps({"id": str(uuid.uuid4())} | wish))
    return status, json.loads(body)


async def ask(
    view: WardView, body: str, *, content: str = "application/json", origin: str = ""
) -> tuple[int, dict[str, str], str]:
    return await fetch(
        view,
        "/commands",
        "POST",
        body=body,
        Cookie=f"icu_ward={view.cookie}",
        Origin=origin or view.address.strip("/"),
        **{"Content-Type": content},
    )


@pytest.mark.parametrize(
    ("body", "options", "status"),
    [
        ("{}", {}, 400),
        ("not json", {}, 400),
        ('{"id": "1", "type": "resume", "patient": "p"}', {}, 400),
        ('{"by": "somebody else"}', {}, 400),
        ("{}", {"content": "text/plain"}, 415),
        ("{}", {"origin": "http://evil.test"}, 403),
        ("x" * 5_000, {}, 413),
    ],
)
async def test_what_is_no_command_of_our_page_is_turned_away(
    shared: tuple[Hospital, WardView], body: str, options: dict[str, str], status: int
):
    assert (await ask(shared[1], body, **options))[0] == status
