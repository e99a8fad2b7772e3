"""The outbox: alarms, their chains and their pages, as rows of PostgreSQL.

Each alert is one transaction: what is remembered of its alarm, and a row for each page.
Only then may Kafka's offset be committed. An alert that comes again finds its transition
heeded, and a row's `delivery` is made of alarm, occasion, target and action alone, so
neither a crash nor a second pager pages twice.

A row's way:

=========  ===============================================================================
waiting    to be sent at `due_at`; while `leased_until` is ahead, somebody is sending it
held       too many for its person (`STORM`): it stands in a digest
sent       the target took it
dead       it never will: refused, gone, or its window is over
dropped    not sent, for its alarm was over or seen before
=========  ===============================================================================

A sender that dies leaves its lease, and when that is over another one sends the row again,
with the same id: at least once for us, once for a receiver that drops an id it has seen.
Pages about one alarm to one target are sent in their order.

Every moment of sending is by the database's clock, which all pagers share.
"""

import hashlib

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from icu_stream.contracts.alerts import Alert, Priority, State
from icu_stream.pager import chain, page
from icu_stream.pager.chain import Known, Step
from icu_stream.pager.page import Action, Line, Page
from icu_stream.pager.plan import Chain, Person, Plan, Target
from icu_stream.storage.postgres import connection, is_of_rows


# More pages than this to one person within so many minutes become one digest (issue:
# "more than 10 pages in 10 min"); a high alarm is always a page of its own.
STORM = 10
STORM_S = 600
# Ours: a digest waits for what comes with it.
GATHER_S = 20
# Ours: a target that hangs must not take all of a sender; a high page may pass a medium one.
_AT_ONCE = 1
_AT_ONCE_HIGH = 4
# Ours: an alarm is stated every minute. One that was not for an hour, its worker has lost.
_UNHEARD_S = 3_600

_ALERT = msgspec.json.Decoder(Alert)
_PAGE = msgspec.json.Decoder(Page)
_OPEN = frozenset({State.ACTIVE, State.LATCHED})


class Row(NamedTuple):
    """One page to be sent.

    Attributes:
        id: Of the row.
        delivery: The same at every attempt.
        target: To whom and how.
        page: What.
        attempts: This one included.
        left_s: Until its window is over; 0 or less: it is.
        lost: Why it need not be sent any more; empty: it must be.
    """

    id: int
    delivery: str
    target: str
    page: Page
    attempts: int
    left_s: float
    lost: str


class Tally(NamedTuple):
    """How pages stand.

    Attributes:
        waiting: Not settled.
        overdue_s: For how long the oldest of them is due and nobody sends it; 0: none.
        sent: In the last 24 h.
        dead: In the last 24 h.
    """

    waiting: int = 0
    overdue_s: float = 0.0
    sent: int = 0
    dead: int = 0


class Lost(NamedTuple):
    """A page that will not be sent, and must be said loudly."""

    target: str
    page: Page
    reason: str


class Outbox:
    """Writes alarms and pages, and hands them to senders.

    Args:
        pool: Connections to PostgreSQL.
        plan: Who is paged.
        ward_url: Of the ward view, for links.
        name: Of this process, in its leases.
    """

    def __init__(self, pool: Any, plan: Plan, ward_url: str | None, name: str) -> None:
        self._pool = pool
        self._plan = plan
        self._ward_url = ward_url
        self._name = name

    # --- alerts come

    async def take_all(self, alerts: Sequence[Alert]) -> list[Lost]:
        """Heed alerts, in their order; when this returns, what follows is written.

        Raises:
            StorageError: PostgreSQL does not answer; what was heeded stays heeded.
        """
        known = await self._known({alert.alert_id for alert in alerts})
        heard, touched, lost = set(), set(), []
        for alert in alerts:
            before = known.get(alert.alert_id)
            if alert.alert_id not in touched and (
                chain.follows(alert, before) is Step.NOTHING
            ):
                if before is not None and before.is_going_on:
                    heard.add(alert.alert_id)
                continue
            touched.add(alert.alert_id)
            try:
                lost += await self._take(alert)
            except Exception as error:
                if not is_of_rows(error):
                    raise
                # It would be refused for ever, and hold up every alert behind it.
                told = page.of_alert(alert, Action.TRIGGER)
                reason = f"not kept: {type(error).__name__}"
                lost.append(Lost(self._unit(alert), told, reason))
        if heard:
            async with connection(self._pool) as db:
                await db.execute(
                    "UPDATE icu.pager_alarms SET heard_at = now() "
                    "WHERE alert_id = ANY($1) AND next_at IS NOT NULL",
                    list(heard),
                )
        return lost

    async def advance(self) -> list[Lost] | None:
        """Page the next level of one chain that is due; None when none is.

        Raises:
            StorageError: PostgreSQL does not answer.
        """
        async with connection(self._pool) as db, db.transaction():
            row = await db.fetchrow(
                "SELECT *, heard_at < now() - $1 * interval '1 second' AS is_unheard "
                "FROM icu.pager_alarms WHERE next_at <= now() "
                "ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED",
                _UNHEARD_S,
            )
            if row is None:
                return None
            alert = _ALERT.decode(row["alert"])
            found = self._chain(alert)
            if found is None or row["is_unheard"] or alert.state not in _OPEN:
                await db.execute(
                    "UPDATE icu.pager_alarms SET next_at = NULL WHERE alert_id = $1",
                    alert.alert_id,
                )
                reason = "nobody states the alarm" if row["is_unheard"] else "no chain"
                told = page.of_alert(alert, Action.TRIGGER)
                return [Lost(self._unit(alert), told, reason)]
            level = row["level"] if row["level"] < len(found.levels) else 0
            return await self._page(db, alert, found, row["round"], row["lap"], level)

    async def _known(self, ids: Iterable[str]) -> dict[str, Known]:
        async with connection(self._pool) as db:
            rows = await db.fetch(
                "SELECT alert_id, transition, state, priority, next_at "
                "FROM icu.pager_alarms WHERE alert_id = ANY($1)",
                list(ids),
            )
        return {row["alert_id"]: _known(row) for row in rows}

    async def _take(self, alert: Alert) -> list[Lost]:
        async with connection(self._pool) as db, db.transaction():
            # Before there is a row to be locked: a second pager may have the same record.
            await _lock(db, alert.alert_id)
            row = await db.fetchrow(
                "SELECT * FROM icu.pager_alarms WHERE alert_id = $1 FOR UPDATE",
                alert.alert_id,
            )
            step = chain.follows(alert, None if row is None else _known(row))
            if step is Step.NOTHING:
                return []
            await _note(db, alert)
            if step is Step.SEEN:
                await self._end(db, alert, Action.ACKNOWLEDGE)
            elif step is Step.OVER:
                await self._end(db, alert, Action.RESOLVE)
            found = self._chain(alert)
            if found is None:
                return []
            if step is Step.BEGIN:
                return await self._page(db, alert, found, alert.transition, 0, 0)
            if step is Step.AGAIN:
                return await self._again(db, alert, row["round"])
            return []

    def _unit(self, alert: Alert) -> str:
        """Whom a page was for when it has not come to a target yet."""
        return f"unit {self._plan.unit(alert.bed).name}"

    def _chain(self, alert: Alert) -> Chain | None:
        return self._plan.unit(alert.bed).chains.get(alert.priority)

    async def _page(
        self, db: Any, alert: Alert, found: Chain, round_: int, lap: int, level: int
    ) -> list[Lost]:
        """Page one level, and say when the next one is due."""
        is_last = level + 1 >= len(found.levels)
        await db.execute(
            "UPDATE icu.pager_alarms SET round = $2, lap = $3, level = $4, "
            "next_at = now() + $5 * interval '1 second' WHERE alert_id = $1",
            alert.alert_id,
            round_,
            lap + is_last,
            0 if is_last else level + 1,
            found.wait_s(level),
        )
        now_ms = await db.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
        people = self._plan.on_duty(found.levels[level].page, now_ms)
        told = page.of_alert(
            alert, Action.TRIGGER, ward_url=self._ward_url, level=level + 1
        )
        targets = [(person, person.targets) for person in people]
        return await self._write(db, told, f"{round_}.{lap}.{level}", targets)

    async def _again(self, db: Any, alert: Alert, round_: int) -> list[Lost]:
        """Page whoever was paged in this round."""
        rows = await db.fetch(
            "SELECT DISTINCT target FROM icu.pager_outbox "
            "WHERE alert_id = $1 AND action = $2 AND starts_with(occasion, $3)",
            alert.alert_id,
            Action.TRIGGER,
            f"{round_}.",
        )
        before = {row["target"] for row in rows}
        targets = [
            (person, tuple(t for t in person.targets if t.id in before))
            for person in self._plan.people.values()
        ]
        told = page.of_alert(alert, Action.TRIGGER, ward_url=self._ward_url)
        occasion = f"{round_}.again.{alert.transition}"
        return await self._write(db, told, occasion, targets)

    async def _write(
        self,
        db: Any,
        told: Page,
        occasion: str,
        targets: Iterable[tuple[Person, Sequence[Target]]],
    ) -> list[Lost]:
        """A row for each target; in a storm, held for a digest."""
        lost = []
        # In the order of their names: two pagers that lock several must not cross.
        for person, ways in sorted(targets, key=lambda pair: pair[0].id):
            if not ways:
                continue
            is_held = told.priority is not Priority.HIGH and await _is_storm(
                db, person.id
            )
            for target in ways:
                gone = await _gone(db, target)
                digest = None
                if is_held and gone is None:
                    digest = await self._digest(db, told, occasion, target)
                await db.execute(
                    _INSERT,
                    delivery(told.dedup_key, occasion, target.id, told.action),
                    told.dedup_key,
                    occasion,
                    target.id,
                    person.id,
                    told.action,
                    told.priority,
                    msgspec.json.encode(told).decode(),
                    "dead" if gone is not None else "held" if is_held else "waiting",
                    digest,
                    0.0,
                    self._plan.window_s,
                    gone or "",
                )
                if gone is not None:
                    lost.append(Lost(target.id, told, gone))
        if lost:
            await _fail_over(db, told.dedup_key)
        return lost

    async def _digest(self, db: Any, told: Page, occasion: str, target: Target) -> int:
        """The digest that gathers now for a target; a new one if there is none."""
        open_: int | None = await db.fetchval(
            "SELECT id FROM icu.pager_outbox WHERE target = $1 AND action = $2 "
            "AND state = 'waiting' AND attempts = 0 FOR UPDATE",
            target.id,
            Action.DIGEST,
        )
        if open_ is not None:
            return open_
        since: float | None = await db.fetchval(
            "SELECT extract(epoch FROM now() - max(due_at))::float8 "
            "FROM icu.pager_outbox WHERE target = $1 AND action = $2",
            target.id,
            Action.DIGEST,
        )
        wait_s = GATHER_S if since is None else max(GATHER_S, STORM_S - since)
        key = f"digest:{target.id}:{delivery(told.dedup_key, occasion, target.id, '')}"
        gathered = msgspec.structs.replace(
            told, action=Action.DIGEST, dedup_key=key, bed="", level=0, link=""
        )
        made: int = await db.fetchval(
            f"{_INSERT} RETURNING id",
            delivery(key, "digest", target.id, Action.DIGEST),
            key,
            "digest",
            target.id,
            target.person,
            Action.DIGEST,
            told.priority,
            msgspec.json.encode(gathered).decode(),
            "waiting",
            None,
            float(wait_s),
            wait_s + self._plan.window_s,
            "",
        )
        return made

    async def _end(self, db: Any, alert: Alert, action: Action) -> None:
        """Nobody else is paged; whoever was is told."""
        await db.execute(
            "UPDATE icu.pager_alarms SET next_at = NULL WHERE alert_id = $1",
            alert.alert_id,
        )
        # Seen: nobody need come. Over: a high one is told all the same.
        await db.execute(
            "UPDATE icu.pager_outbox SET state = 'dropped', settled_at = now(), "
            "reason = $2 WHERE alert_id = $1 AND action = $3 "
            "AND state IN ('waiting', 'held') "
            "AND (leased_until IS NULL OR leased_until < now()) "
            "AND (priority <> $4 OR $5)",
            alert.alert_id,
            "seen" if action is Action.ACKNOWLEDGE else "over",
            Action.TRIGGER,
            Priority.HIGH,
            action is Action.ACKNOWLEDGE,
        )
        rows = await db.fetch(
            "SELECT DISTINCT target, person FROM icu.pager_outbox "
            "WHERE alert_id = $1 AND action = $2 "
            "AND (state IN ('waiting', 'sent') OR state = 'dropped' AND attempts > 0)",
            alert.alert_id,
            Action.TRIGGER,
        )
        told = page.of_alert(alert, action, ward_url=self._ward_url)
        body = msgspec.json.encode(told).decode()
        for row in rows:
            await db.execute(
                _INSERT,
                delivery(alert.alert_id, str(alert.transition), row["target"], action),
                alert.alert_id,
                str(alert.transition),
                row["target"],
                row["person"],
                action,
                alert.priority,
                body,
                "waiting",
                None,
                0.0,
                self._plan.window_s,
                "",
            )

    # --- pages leave

    async def claim(
        self, most: int, lease_s: float, busy: Mapping[str, int]
    ) -> list[Row]:
        """Lease pages that are due, high ones first.

        Args:
            most: Rows.
            lease_s: Longer than an attempt takes.
            busy: How many pages the asker is sending to a target already.

        Raises:
            StorageError: PostgreSQL does not answer.
        """
        async with connection(self._pool) as db:
            rows = await db.fetch(
                _CLAIM,
                lease_s,
                self._name,
                most,
                _AT_ONCE_HIGH,
                _AT_ONCE,
                list(busy),
                list(busy.values()),
            )
            return [
                await self._filled(db, row)
                if row["action"] == Action.DIGEST
                else _row(row)
                for row in sorted(
                    rows, key=lambda r: (r["priority"] != "high", r["id"])
                )
            ]

    async def sent(self, row: Row) -> None:
        """The target took it. True whoever has the lease by now."""
        await self._settle(row, "sent", "")

    async def again(self, row: Row, wait_s: float, reason: str) -> None:
        """It will be tried again."""
        async with connection(self._pool) as db:
            await db.execute(
                "UPDATE icu.pager_outbox SET leased_until = NULL, reason = $3, "
                "due_at = now() + $4 * interval '1 second' "
                "WHERE id = $1 AND lease = $2 AND state = 'waiting'",
                row.id,
                self._name,
                reason,
                wait_s,
            )

    async def drop(self, row: Row) -> None:
        """It need not be sent any more."""
        await self._settle(row, "dropped", row.lost)

    async def bury(self, row: Row, reason: str, gone: Target | None = None) -> bool:
        """It never will be sent: a dead letter. If nobody was reached, the next one is.

        Args:
            row: Which.
            reason: Why.
            gone: The target wants no page any more.

        Returns:
            Was it this that buried it?
        """
        async with connection(self._pool) as db, db.transaction():
            is_first = await db.fetchval(_SETTLE, row.id, "dead", reason)
            if gone is not None:
                await db.execute(
                    "INSERT INTO icu.pager_targets (target, mark, reason) "
                    "VALUES ($1, $2, $3) ON CONFLICT (target) DO UPDATE "
                    "SET mark = $2, reason = $3, gone_at = now()",
                    gone.id,
                    gone.mark,
                    reason,
                )
            await _fail_over(db, row.page.dedup_key)
        return is_first is not None

    async def revive(self, target: Target) -> bool:
        """A target that was gone takes pages again."""
        async with connection(self._pool) as db:
            found = await db.fetchval(
                "DELETE FROM icu.pager_targets WHERE target = $1 RETURNING target",
                target.id,
            )
        return found is not None

    async def _settle(self, row: Row, state: str, reason: str) -> None:
        async with connection(self._pool) as db:
            await db.fetchval(_SETTLE, row.id, state, reason)

    async def _filled(self, db: Any, row: Any) -> Row:
        """A digest with what it stands for, as it was when it was sent first."""
        told = _PAGE.decode(row["page"])
        if not told.alarms:
            held = await db.fetch(
                "SELECT DISTINCT ON (a.alert_id) a.alert FROM icu.pager_outbox o "
                "JOIN icu.pager_alarms a USING (alert_id) "
                "WHERE o.digest = $1 AND a.state = ANY($2) ORDER BY a.alert_id",
                row["id"],
                list(_OPEN),
            )
            alerts = [_ALERT.decode(one["alert"]) for one in held]
            lines = [Line(a.alert_id, a.priority, a.bed, a.text) for a in alerts]
            lines.sort(key=lambda line: (line.bed, line.text))
            told = msgspec.structs.replace(told, alarms=lines)
            await db.execute(
                "UPDATE icu.pager_outbox SET page = $2::jsonb WHERE id = $1",
                row["id"],
                msgspec.json.encode(told).decode(),
            )
        found = _row(row)
        return found._replace(page=told, lost="" if told.alarms else "over")

    # --- answers come

    async def addressed(self, person: str, delivery_: str) -> Page | None:
        """What was sent to a person by a delivery; None: nothing was."""
        async with connection(self._pool) as db:
            found = await db.fetchval(
                "SELECT page FROM icu.pager_outbox WHERE person = $1 AND delivery = $2",
                person,
                delivery_,
            )
        return None if found is None else _PAGE.decode(found)

    async def remember(
        self, person: str, webhook_id: str, delivery_: str, answer: str
    ) -> bool:
        """Is this answer new? One that was not done may come again."""
        async with connection(self._pool) as db:
            found = await db.fetchval(
                "INSERT INTO icu.pager_answers AS a (person, webhook_id, delivery, answer) "
                "VALUES ($1, $2, $3, $4) ON CONFLICT (person, webhook_id) DO UPDATE "
                "SET taken_at = now() WHERE a.outcome IS NULL AND a.delivery = $3 "
                "AND a.answer = $4 RETURNING 1",
                person,
                webhook_id,
                delivery_,
                answer,
            )
        return found is not None

    async def answered(
        self,
        person: str,
        webhook_id: str,
        delivery_: str,
        mark: str | None,
        outcome: str,
    ) -> None:
        """What became of an answer; it counts no second time.

        Args:
            person: Whose.
            webhook_id: Its id.
            delivery_: Of the page that it is about.
            mark: What is now known of the page: `delivered`, `read`, `accepted` or
                `rejected`; None: nothing new.
            outcome: In words.
        """
        async with connection(self._pool) as db, db.transaction():
            await db.execute(
                "UPDATE icu.pager_answers SET outcome = $3 "
                "WHERE person = $1 AND webhook_id = $2",
                person,
                webhook_id,
                outcome,
            )
            if mark is None:
                return
            row = await db.fetchrow(_MARKS[mark], delivery_)
            if mark == "rejected" and row is not None:
                await db.execute(
                    "UPDATE icu.pager_alarms SET next_at = least(next_at, now()) "
                    "WHERE alert_id = $1 AND next_at IS NOT NULL "
                    "AND starts_with($2, round || '.')",
                    row["alert_id"],
                    row["occasion"],
                )

    # --- how it stands

    async def tally(self) -> Tally:
        """How pages stand now, and what became of those of the last 24 h.

        Raises:
            StorageError: PostgreSQL does not answer.
        """
        async with connection(self._pool) as db:
            return Tally(*await db.fetchrow(_TALLY))

    async def forget(self, days: int) -> None:
        """Drop what is over and older."""
        async with connection(self._pool) as db, db.transaction():
            for statement in _FORGET:
                await db.execute(statement, days)


def delivery(dedup_key: str, occasion: str, target: str, action: str) -> str:
    """Of a page, the same however often it is written.

    >>> delivery("p:spo2.desat:1", "1.0.0", "okafor/phone", "trigger")
    'page_5d0b5841fa6717b04a13ec82791c0834'
    """
    text = "\0".join((dedup_key, occasion, target, action))
    return f"page_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


_INSERT = """
INSERT INTO icu.pager_outbox (
    delivery, alert_id, occasion, target, person, action, priority, page, state, digest,
    due_at, until_at, reason, settled_at
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10,
    now() + $11 * interval '1 second', now() + $12 * interval '1 second', $13,
    CASE WHEN $9 = 'dead' THEN now() END
) ON CONFLICT (delivery) DO NOTHING
"""

# Of each alarm and target the oldest page; of each target only so many at once. The last
# part locks, and looks again at what may have changed before it did.
_CLAIM = """
WITH due AS (
    SELECT w.id, w.target, w.priority, row_number() OVER (
        PARTITION BY w.target ORDER BY w.priority <> 'high', w.id
    ) AS place
    FROM icu.pager_outbox w
    WHERE w.state = 'waiting' AND w.due_at <= now()
    AND (w.leased_until IS NULL OR w.leased_until < now())
    AND NOT EXISTS (
        SELECT FROM icu.pager_outbox e
        WHERE e.alert_id = w.alert_id AND e.target = w.target
        AND e.id < w.id AND e.state = 'waiting'
    )
), free AS (
    SELECT d.id FROM due d
    WHERE d.place + coalesce((
        SELECT b.n FROM unnest($6::text[], $7::int[]) AS b (target, n)
        WHERE b.target = d.target
    ), 0) <= CASE WHEN d.priority = 'high' THEN $4::int ELSE $5::int END
    ORDER BY d.priority <> 'high', d.id
    LIMIT $3
), locked AS (
    SELECT o.id FROM icu.pager_outbox o
    WHERE o.id IN (SELECT id FROM free) AND o.state = 'waiting'
    AND (o.leased_until IS NULL OR o.leased_until < now())
    FOR UPDATE SKIP LOCKED
)
UPDATE icu.pager_outbox o
SET leased_until = now() + $1::float8 * interval '1 second', lease = $2,
    attempts = o.attempts + 1
FROM locked WHERE o.id = locked.id
RETURNING o.*, extract(epoch FROM o.until_at - now())::float8 AS left_s,
    (SELECT a.state FROM icu.pager_alarms a WHERE a.alert_id = o.alert_id) AS alarm,
    EXISTS (
        SELECT FROM icu.pager_outbox e
        WHERE e.alert_id = o.alert_id AND e.target = o.target AND e.action = 'trigger'
        AND (e.state = 'sent' OR e.state = 'dropped' AND e.attempts > 0)
    ) AS is_begun
"""

_SETTLE = """
UPDATE icu.pager_outbox
SET state = $2, reason = $3, settled_at = now(), leased_until = NULL
WHERE id = $1 AND state = 'waiting' RETURNING id
"""

_TALLY = """
SELECT count(*) FILTER (WHERE state = 'waiting'),
    coalesce(extract(epoch FROM now() - min(due_at) FILTER (
        WHERE state = 'waiting' AND due_at < now()
        AND (leased_until IS NULL OR leased_until < now())
    )), 0)::float8,
    count(*) FILTER (WHERE state = 'sent' AND settled_at > now() - interval '1 day'),
    count(*) FILTER (WHERE state = 'dead' AND settled_at > now() - interval '1 day')
FROM icu.pager_outbox
WHERE state = 'waiting' OR made_at > now() - interval '2 days'
"""

# What is known of a page is known for ever: the first time counts.
_MARKS = {
    name: (
        f"UPDATE icu.pager_outbox SET {name}_at = coalesce({name}_at, now()) "  # noqa: S608 - of these four
        "WHERE delivery = $1 RETURNING alert_id, occasion"
    )
    for name in ("delivered", "read", "accepted", "rejected")
}

_FORGET = tuple(
    f"DELETE FROM icu.{rows} < now() - $1 * interval '1 day'"  # noqa: S608 - of these
    for rows in (
        "pager_outbox WHERE state <> 'waiting' AND made_at",
        "pager_alarms WHERE state = 'cleared' AND changed_at",
        "pager_answers WHERE taken_at",
    )
)


def _known(row: Any) -> Known:
    return Known(
        row["transition"],
        State(row["state"]),
        Priority(row["priority"]),
        row["next_at"] is not None,
    )


def _row(row: Any) -> Row:
    lost = ""
    if row["action"] == Action.TRIGGER:
        if row["alarm"] == State.ACKNOWLEDGED:
            lost = "seen"
        elif row["alarm"] == State.CLEARED and row["priority"] != Priority.HIGH:
            lost = "over"
    elif not row["is_begun"]:
        lost = "nothing was told of it"
    return Row(
        row["id"],
        row["delivery"],
        row["target"],
        _PAGE.decode(row["page"]),
        row["attempts"],
        row["left_s"],
        lost,
    )


async def _lock(db: Any, what: str) -> None:
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", what)


async def _note(db: Any, alert: Alert) -> None:
    await db.execute(
        "INSERT INTO icu.pager_alarms "
        "(alert_id, patient_id, bed, code, priority, state, transition, alert) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb) "
        "ON CONFLICT (alert_id) DO UPDATE SET bed = $3, priority = $5, state = $6, "
        "transition = $7, alert = $8::jsonb, heard_at = now(), changed_at = now()",
        alert.alert_id,
        alert.patient_id,
        alert.bed,
        alert.code,
        alert.priority,
        alert.state,
        alert.transition,
        msgspec.json.encode(alert).decode(),
    )


async def _is_storm(db: Any, person: str) -> bool:
    """Has a person had as many pages as one may have? One page may go several ways."""
    await _lock(db, f"icu.pager/{person}")
    count: int = await db.fetchval(
        "SELECT count(DISTINCT (alert_id, occasion)) FROM icu.pager_outbox "
        "WHERE person = $1 AND action = $2 AND state NOT IN ('held', 'dropped') "
        "AND made_at > now() - $3 * interval '1 second'",
        person,
        Action.TRIGGER,
        STORM_S,
    )
    return count >= STORM


async def _gone(db: Any, target: Target) -> str | None:
    """Why a target wants no page any more; None: it does."""
    found: str | None = await db.fetchval(
        "SELECT reason FROM icu.pager_targets WHERE target = $1 AND mark = $2",
        target.id,
        target.mark,
    )
    return found


async def _fail_over(db: Any, alert_id: str) -> None:
    """Where nobody of a round can be reached, the next level is paged at once."""
    await db.execute(
        "UPDATE icu.pager_alarms a SET next_at = now() "
        "WHERE alert_id = $1 AND next_at > now() AND lap = 0 AND NOT EXISTS ("
        "  SELECT FROM icu.pager_outbox o WHERE o.alert_id = $1 AND o.action = $2"
        "  AND starts_with(o.occasion, a.round || '.')"
        "  AND o.state IN ('waiting', 'sent', 'held'))",
        alert_id,
        Action.TRIGGER,
    )
