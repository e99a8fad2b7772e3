"""What the page knows of one bed beyond its tile: episodes, trend, NEWS2, limits.

All of it is what this view has heard itself since it was started, and it says since when.
It is bounded: the last hundred alarms, four hours of points of half a minute.

The whole is one dictionary, which a browser fetches for the bed that is open and not for
every bed every second.
"""

from array import array
from typing import Any

import msgspec

from icu_stream.contracts.alerts import Alert, Event, State
from icu_stream.contracts.commands import CommandResult, CommandType
from icu_stream.contracts.scores import ScoreInput, Scores
from icu_stream.contracts.signals import BY_CODE
from icu_stream.domain import news2
from icu_stream.domain.limits import Condition, Rules
from icu_stream.ward import wording


Row = dict[str, Any]

# Trends: UI, pages: "1/4/12/24 h"; what a view remembers by itself is four of them (ours).
SLOT_MS = 30_000
SLOTS = 480
TRENDS = ("hr", "spo2", "rr", "abp_mean", "nibp_mean", "temp")
# Scores are stated once a minute; three missed statements are silence.
SCORE_MS = 180_000
# An alarm that is older than the last hundred of its bed is in the log, not here (ours).
_EPISODES = 100
_SIGNS = {Condition.LOW: "<", Condition.HIGH: ">", Condition.ZERO: "="}


class Trend:
    """Four hours of one signal: least, greatest and mean of each half minute."""

    def __init__(self) -> None:
        self._number = array("q", [-1]) * SLOTS
        self._low = array("d", [0.0]) * SLOTS
        self._high = array("d", [0.0]) * SLOTS
        self._sum = array("d", [0.0]) * SLOTS
        self._count = array("q", [0]) * SLOTS

    def add(self, value: float, arrived_ms: int) -> None:
        """Take one value."""
        number = arrived_ms // SLOT_MS
        i = number % SLOTS
        if self._number[i] != number:
            if self._number[i] > number:
                return  # four hours late
            self._number[i], self._count[i], self._sum[i] = number, 0, 0.0
            self._low[i] = self._high[i] = value
        elif value < self._low[i]:
            self._low[i] = value
        elif value > self._high[i]:
            self._high[i] = value
        self._sum[i] += value
        self._count[i] += 1

    def points(
        self, last: int, count: int, digits: int
    ) -> list[tuple[float, float, float] | None]:
        """The last half minutes up to one, oldest first; where nothing came, None."""
        return [
            (
                round(self._low[i], digits),
                round(self._high[i], digits),
                round(self._sum[i] / self._count[i], digits),
            )
            if self._number[i := number % SLOTS] == number
            else None
            for number in range(last - count + 1, last + 1)
        ]


class Episode(msgspec.Struct):
    """One alarm from its beginning to its end, as far as it was heard.

    Attributes:
        alert: Its newest statement.
        told: The last one that says why: what ends an alarm may not.
        steps: What happened: event, when, by whom.
        ended_ms: When its condition went away; None while it holds.
        actionable: What was said of it, and by whom.
    """

    alert: Alert
    told: Alert
    steps: list[tuple[Event, int, str | None]]
    ended_ms: int | None = None
    actionable: tuple[bool, str | None] | None = None


class Own(msgspec.Struct):
    """One limit of this patient's own.

    Attributes:
        limit: None: as the profile.
        delay_s: Likewise.
        by: Who set it.
        set_ms: When.
        until_ms: Until when it holds.
    """

    limit: float | None
    delay_s: float | None
    by: str | None
    set_ms: int
    until_ms: int


class Record:
    """What was heard of one patient since the view was started."""

    def __init__(self) -> None:
        self._since_ms: int | None = None
        self._trends: dict[str, Trend] = {}
        self._episodes: dict[str, Episode] = {}
        self._scores: tuple[Scores, int] | None = None
        self._own: dict[str, Own] = {}

    # --- what is heard

    def measure(self, code: str, value: float | None, arrived_ms: int) -> None:
        """Take one value; 1 us."""
        if self._since_ms is None:
            self._since_ms = arrived_ms
        if value is None or code not in TRENDS:
            return
        trend = self._trends.get(code)
        if trend is None:
            trend = self._trends[code] = Trend()
        trend.add(value, arrived_ms)

    def state(self, alert: Alert) -> None:
        """Take one statement of an alarm that is not older than what is known."""
        known = self._episodes.get(alert.alert_id)
        if known is None:
            known = self._episodes[alert.alert_id] = Episode(alert, alert, [])
            while len(self._episodes) > _EPISODES:
                del self._episodes[next(iter(self._episodes))]
        if alert.event is not Event.STANDING:
            step = (alert.event, alert.time, alert.by)
            if step not in known.steps:
                known.steps.append(step)
        if alert.state in {State.LATCHED, State.CLEARED}:
            known.ended_ms = known.ended_ms or alert.time
        else:
            known.told = alert
        known.alert = alert

    def score(self, scores: Scores, arrived_ms: int) -> None:
        """Take the newest scores."""
        self._scores = (scores, arrived_ms)

    def answer(self, result: CommandResult) -> None:
        """Take what was granted: limits of this patient's own, and what was said."""
        if result.type is CommandType.FEEDBACK and result.actionable is not None:
            episode = self._episodes.get(result.alert_id or "")
            if episode is not None:
                episode.actionable = (result.actionable, result.by)
        elif result.type is CommandType.SET_LIMITS:
            for change in result.limits:
                before = self._own.get(change.code)
                limit, delay_s = change.limit, change.delay_s
                if before is not None:
                    limit = before.limit if limit is None else limit
                    delay_s = before.delay_s if delay_s is None else delay_s
                self._own[change.code] = Own(
                    limit, delay_s, result.by, result.time or 0, result.expires or 0
                )
        elif result.type is CommandType.RESET_LIMITS:
            for change in result.limits:
                self._own.pop(change.code, None)
        elif result.type is CommandType.DISCHARGE:
            self._own.clear()

    # --- what is shown

    def page(self, now_ms: int, rules: Rules, hours: int) -> Row:
        """All of it at a moment.

        Args:
            now_ms: The moment.
            rules: The profile that this view was given.
            hours: Of the trend: 1 to 4.
        """
        return {
            "t": now_ms,
            "since": self._since_ms,
            "alarms": [_episode(e) for e in reversed(self._episodes.values())],
            "news2": self._news2(now_ms),
            "unusual": self._unusual(now_ms),
            "profile": rules.label,
            "pause": rules.pause_ms / 1000,
            "limits": self._limits(now_ms, rules),
            "trend": self._trend(now_ms, hours),
        }

    def _trend(self, now_ms: int, hours: int) -> Row:
        count = hours * 3_600_000 // SLOT_MS
        last = now_ms // SLOT_MS
        return {
            "from": (last - count + 1) * SLOT_MS,
            "step": SLOT_MS,
            "lines": {
                code: self._trends[code].points(last, count, BY_CODE[code].digits)
                for code in TRENDS
                if code in self._trends
            },
        }

    def _news2(self, now_ms: int) -> Row | None:
        """The chart; an input that is missing has no points, never zero."""
        scores, arrived_ms = self._scored(now_ms)
        if scores is None or scores.news2 is None:
            return None
        score = scores.news2
        since_s = max(0, now_ms - arrived_ms) / 1000
        return {
            "total": score.total,
            "band": score.band,
            "complete": score.completeness,
            "of": len(news2.INPUTS),
            "scale": score.spo2_scale,
            "at": arrived_ms,
            "rows": [
                _input(name, score.inputs.get(name), since_s) for name in news2.INPUTS
            ],
        }

    def _unusual(self, now_ms: int) -> Row | None:
        """The model's hint, while it is warm."""
        scores, arrived_ms = self._scored(now_ms)
        if scores is None or scores.anomaly is None or not scores.anomaly.warm:
            return None
        anomaly = scores.anomaly
        shares = sorted(anomaly.shares.items(), key=lambda share: -share[1])
        return {
            "score": round(anomaly.score, 2),
            "shares": [
                [wording.signal_name(code), round(100 * share)]
                for code, share in shares[:3]
            ],
            "model": anomaly.model,
            "at": arrived_ms,
        }

    def _scored(self, now_ms: int) -> tuple[Scores | None, int]:
        """The scores while they are stated, and when they arrived."""
        if self._scores is None or now_ms - self._scores[1] > SCORE_MS:
            return None, 0
        return self._scores

    def _limits(self, now_ms: int, rules: Rules) -> list[Row]:
        """Each limit in force, with where it comes from, in the profile's order."""
        rows = []
        for row in rules.rows.values():
            if row.condition is None or row.limit is None or row.signal is None:
                continue
            own = self._own.get(row.code)
            if own is not None and own.until_ms <= now_ms:
                own = None
            limit, delay_s = row.limit, row.delay_ms / 1000
            if own is not None:
                limit = limit if own.limit is None else own.limit
                delay_s = delay_s if own.delay_s is None else own.delay_s
            rows.append(
                {
                    "c": row.code,
                    "g": row.signal,
                    "name": wording.signal_name(row.signal),
                    "sign": _SIGNS[row.condition],
                    "limit": limit,
                    "unit": wording.unit(row.signal),
                    "delay": delay_s,
                    "p": wording.RANK[row.priority],
                    "source": row.source,
                    "own": None
                    if own is None
                    else {"by": own.by, "at": own.set_ms, "until": own.until_ms},
                }
            )
        return rows


def _episode(episode: Episode) -> Row:
    alert, told = episode.alert, episode.told
    why = told.explanation
    return {
        "i": alert.alert_id,
        "c": alert.code,
        "p": wording.RANK[alert.priority],
        "k": alert.kind.value,
        "w": wording.word(alert.kind),
        "s": alert.state.value,
        "f": wording.sentence(told if episode.ended_ms is None else alert),
        "o": alert.onset,
        "g": told.signal,
        "end": episode.ended_ms,
        "steps": [[event.value, at, by] for event, at, by in episode.steps],
        "ok": None
        if episode.actionable is None
        else {"yes": episode.actionable[0], "by": episode.actionable[1]},
        "why": {
            "rule": why.rule,
            "source": why.limit_source,
            "value": told.value,
            "extreme": why.extreme,
            "limit": told.limit,
            "unit": wording.unit(told.signal or ""),
            "usual": why.usual,
            "change": why.change,
            "delay": told.delay_s,
            "held": why.violation_s,
            "others": [
                [wording.signal_name(code), value, wording.unit(code)]
                for code, value in why.contributing.items()
            ],
            "complete": why.completeness,
            "reason": alert.explanation.reason,
            "versions": why.versions,
        },
    }


def _input(name: str, scored: ScoreInput | None, since_s: float) -> Row:
    row: Row = {"c": name, "name": wording.say(f"news2.{name}"), "points": None}
    if scored is None:
        return row
    value = scored.value
    if isinstance(value, bool):
        value = wording.say("news2.oxygen" if value else "news2.air")
    return row | {
        "value": value,
        "points": scored.points,
        "age": round(scored.age_s + since_s),
        "by": scored.by,
    }
