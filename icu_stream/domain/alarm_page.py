"""`docs/alarm-states.md`: the alarm state machine, drawn from its table."""

from icu_stream.contracts.alerts import Event, State
from icu_stream.domain.alarm import BEFORE, TABLE


def page() -> str:
    """The document; the same text for the same table."""
    lines = [
        "# The states of an alarm",
        "",
        "Made by `icu-stream alarm-states` from the table in",
        "[alarm.py](../icu_stream/domain/alarm.py); the exact rules are in",
        "[alarms](alarms.md). While a condition is idle or pending, nobody is told.",
        "",
        "```mermaid",
        *_diagram(),
        "```",
        "",
        "| from | event | to | when |",
        "|---|---|---|---|",
        *(f"| {b.start} | | {_end(b.end)} | {b.cause} |" for b in BEFORE),
        *(
            f"| {_state(row.start, row.event)} | `{row.event}` | {row.end} | {row.when} |"
            for row in TABLE
        ),
        "",
        "What the table lacks is refused and changes nothing.",
        "",
    ]
    return "\n".join(lines)


def _diagram() -> list[str]:
    lines = ["stateDiagram-v2", "    [*] --> idle"]
    for before in BEFORE:
        told = f"{before.end}: " if isinstance(before.end, Event) else ""
        end = _end(before.end)
        lines.append(f"    {before.start} --> {end} : {told}{before.cause}")
    events: dict[tuple[str, State], list[Event]] = {}
    for row in TABLE:
        # Drawn already, out of pending.
        if (row.start, row.event) != (None, Event.RAISED):
            events.setdefault((row.start or "[*]", row.end), []).append(row.event)
    for (start, end), names in events.items():
        # One arrow: several from one state to itself would lie upon each other.
        lines.append(f"    {start} --> {end} : {', '.join(names)}")
    lines.append(f"    {State.CLEARED} --> [*]")
    return lines


def _end(end: str | Event) -> str:
    return str(State.ACTIVE) if isinstance(end, Event) else end


def _state(state: State | None, event: Event) -> str:
    if state is not None:
        return str(state)
    return "pending" if event is Event.RAISED else "none"
