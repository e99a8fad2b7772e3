"""A sender of the pager as a process of its own, for tests that kill it.

Forked from a process that has imported everything, so that fifty of them start in seconds.
"""

import asyncio

from pathlib import Path

from icu_stream.pager import plan, sender
from icu_stream.pager.outbox import Outbox
from icu_stream.pager.posting import Post
from icu_stream.settings import Settings
from icu_stream.storage import postgres


def send(dsn: str, password: str, config: Path, name: str, lease_s: float) -> None:
    """Send what is in the outbox until somebody kills it."""
    asyncio.run(_send(dsn, password, config, name, lease_s))


async def _send(
    dsn: str, password: str, config: Path, name: str, lease_s: float
) -> None:
    settings = Settings(_env_file=None, postgres_dsn=dsn, postgres_password=password)
    made, post = plan.load(config), Post(5)
    sender.LOOK_S = 0.02  # what the one before left is looked for at once
    async with postgres.pool(settings) as pool:
        outbox = Outbox(pool, made, None, name)
        sending = sender.Sender(
            outbox,
            made,
            made.connect(post, "en"),
            lambda lost: None,
            lambda target: None,
            lease_s,
        )
        await sending.run()
