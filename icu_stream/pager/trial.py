"""A test page to every target of somebody, now, past outbox and chains."""

import secrets

from collections.abc import Callable

from icu_stream import clock
from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.errors import DeliveryError, StorageError
from icu_stream.pager.outbox import Outbox
from icu_stream.pager.page import Action, Delivery, Page
from icu_stream.pager.plan import BACKUP, Plan, Target
from icu_stream.pager.posting import Post
from icu_stream.settings import Settings
from icu_stream.storage import postgres


async def send(
    settings: Settings, plan: Plan, person: str, say: Callable[[str], None]
) -> bool:
    """Send it; a target that was gone and takes it is paged again.

    Args:
        settings: Language of the words, and where PostgreSQL is.
        plan: Whose targets there are.
        person: An id of the plan, or `backup`.
        say: Gets a line for each target.

    Returns:
        Did every target take it?

    Raises:
        ConfigurationError: A channel or a secret cannot be used.
    """
    is_backup = person == BACKUP
    targets = plan.backup if is_backup else plan.people[person].targets
    page = _page(person, clock.now_ms())
    post = Post(plan.timeout_s)
    is_taken = True
    try:
        channels = plan.connect(post, settings.language, backup=is_backup)
        for target in targets:
            try:
                id_ = f"page_{secrets.token_hex(16)}"
                await channels[target.id].send(Delivery(id_, page))
            except DeliveryError as error:
                is_taken = False
                say(f"{target.id} by {target.kind}: not taken: {error}")
                continue
            say(f"{target.id} by {target.kind}: taken")
            if not is_backup:
                await _revive(settings, plan, target, say)
    finally:
        await post.close()
    return is_taken


def _page(person: str, now_ms: int) -> Page:
    return Page(
        action=Action.TRIGGER,
        dedup_key=f"icu-stream:pager:test:{person}:{now_ms}",
        priority=Priority.LOW,
        kind=Kind.TECHNICAL,
        bed="",
        code="system.test",
        text="A test of the pager: no patient is concerned",
        onset=now_ms,
        time=now_ms,
    )


async def _revive(
    settings: Settings, plan: Plan, target: Target, say: Callable[[str], None]
) -> None:
    """Page a target again that was given up as gone."""
    if settings.postgres_dsn is None:
        return  # nothing is started for a test
    try:
        async with postgres.pool(settings, name="icu-stream pager test") as pool:
            if await Outbox(pool, plan, None, "test").revive(target):
                say(f"{target.id}: it was gone, and is paged again")
    except StorageError as error:
        say(f"{target.id}: whether it was gone is not known: {error}")
