"""What the page knows of one bed beyond its tile: episodes, NEWS2, limits, and its past.

All of it is what this view has heard itself, and it says since when. It is bounded: the
last hundred alarms, and a day of trends and scores (see history.py).

Alarms may be heard in any order, since a view that is started reads back from the newest:
the highest transition of an alarm wins, and its steps are told in the order of time.

The whole is one dictionary, which a browser fetches for the bed that is open and not for
every bed every second.
"""

from typing import Any

import msgspec

from icu_stream.contracts import observations
from icu_stream.contracts.alerts import Alert, Event, State
from icu_stream.contracts.commands import CommandResult, CommandType
from icu_stream.contracts.scores import News2, ScoreInput, Scores
from icu_stream.domain import news2
from icu_stream.domain.granted import Granted, Own
from icu_stream.domain.limits import Rules
from icu_stream.ward import score_chart, wording
from icu_stream.ward.history import SCORE_MS, Past


Row = dict[str, Any]

# An alarm that is older than the last hundred of its bed is in the log, not here (ours).
_EPISODES = 100
# How units are written on a page, where that is not UCUM's way.
_UNITS = {"mm[Hg]": "mmHg", "[pH]": "", "{score}": "", "{INR}": "", "1": "", "a": "y"}
_UNITS |= {"10*3/uL": "10³/µL"}
_ENDED = frozenset({State.LATCHED, State.CLEARED})


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


class Record:
    """What was heard of one patient.

    Attributes:
        past: Trends and scores of a day.
    """

    def __init__(self) -> None:
        self.past = Past()
        self._episodes: dict[str, Episode] = {}
        self._scores: tuple[Scores, int] | None = None
        self._granted = Granted()

    # --- what is heard

    def state(self, alert: Alert) -> None:
        """Take one statement of an alarm."""
        known = self._episodes.get(alert.alert_id)
        if known is None:
            known = self._episodes[alert.alert_id] = Episode(alert, alert, [])
            if len(self._episodes) > _EPISODES:
                self._forget_one()
        if alert.event is not Event.STANDING:
            step = (alert.event, alert.time, alert.by)
            if step not in known.steps:
                known.steps.append(step)
                known.steps.sort(key=_time_of_step)
        if alert.state in _ENDED:
            known.ended_ms = min(known.ended_ms or alert.time, alert.time)
        elif known.told.state in _ENDED or alert.transition >= known.told.transition:
            known.told = alert
        if alert.transition >= known.alert.transition:
            known.alert = alert

    def score(self, scores: Scores, arrived_ms: int) -> None:
        """Take the newest scores."""
        self._scores = (scores, arrived_ms)
        self.past.score(scores, arrived_ms)

    def answer(self, result: CommandResult) -> None:
        """Take what was granted: limits of this patient's own, and what was said."""
        if result.type is CommandType.FEEDBACK and result.actionable is not None:
            episode = self._episodes.get(result.alert_id or "")
            if episode is not None:
                episode.actionable = (result.actionable, result.by)
        else:
            self._granted.answer(result)

    # --- what is shown

    def page(self, now_ms: int, rules: Rules) -> Row:
        """All of it at a moment, but the past.

        Args:
            now_ms: The moment.
            rules: The profile that this view was given.
        """
        episodes = sorted(self._episodes.values(), key=_onset, reverse=True)
        return {
            "t": now_ms,
            "since": self.past.since_ms,
            "alarms": [_episode(episode) for episode in episodes],
            "news2": self._news2(now_ms),
            "unusual": self._unusual(now_ms),
            "profile": rules.label,
            "pause": rules.pause_ms / 1000,
            "limits": self.limits(now_ms, rules),
        }

    def _forget_one(self) -> None:
        """Of the ended alarms the oldest; of open ones only when there is no other."""
        oldest = min(
            self._episodes.values(), key=lambda e: (e.ended_ms is None, e.alert.onset)
        )
        del self._episodes[oldest.alert.alert_id]

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
            "points": score_chart.POINTS,
            "rows": [_input(name, score, since_s) for name in news2.INPUTS],
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

    def limits(self, now_ms: int, rules: Rules) -> list[Row]:
        """Each limit in force, with where it comes from, in the profile's order."""
        return [
            {
                "c": one.row.code,
                "g": one.signal,
                "name": wording.signal_name(one.signal),
                "sign": wording.SIGNS[one.condition],
                "limit": one.limit,
                "unit": wording.unit(one.signal),
                "delay": one.delay_s,
                "p": wording.RANK[one.row.priority],
                "source": one.row.source,
                "own": _own(one.own),
            }
            for one in self._granted.in_force(now_ms, rules)
        ]


def _own(own: Own | None) -> Row | None:
    if own is None:
        return None
    return {"by": own.by, "at": own.set_ms, "until": own.until_ms}


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
                [wording.signal_name(code), value, wording.unit(code), code]
                for code, value in why.contributing.items()
            ],
            "complete": why.completeness,
            "reason": alert.explanation.reason,
            "versions": why.versions,
        },
    }


def _input(name: str, score: News2, since_s: float) -> Row:
    """One row of the chart; an input that is missing has no points, never zero."""
    scored = score.inputs.get(name)
    row: Row = {
        "c": name,
        "name": wording.say(f"news2.{name}"),
        "cells": score_chart.row(name, score.spo2_scale),
        "points": None,
    }
    if scored is None:
        return row
    oxygen = score.inputs.get("on_oxygen")
    return row | {
        "value": scored.value,
        "points": scored.points,
        "column": score_chart.column(
            name, scored.value, score.spo2_scale, _on_oxygen(oxygen)
        ),
        "age": round(scored.age_s + since_s),
        "by": scored.by,
    }


def _on_oxygen(scored: ScoreInput | None) -> bool | None:
    value = None if scored is None else scored.value
    return value if isinstance(value, bool) else None


def _onset(episode: Episode) -> int:
    return episode.alert.onset


def _time_of_step(step: tuple[Event, int, str | None]) -> int:
    return step[1]


def chartable() -> list[Row]:
    """What a person may chart by the `observe` command, each with its plausible range."""
    return [
        {"c": row.code, "name": row.name, "unit": _UNITS.get(row.unit, row.unit)}
        | {"low": row.low, "high": row.high}
        for row in observations.OBSERVATIONS
    ]
