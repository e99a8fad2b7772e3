"""Who is paged, by which channels, when, and who next: what the pager's TOML says.

Everything in it is checked before anything is sent: a duty that nobody has on Sunday
morning, a chain that ends in nobody and a secret that is not there are errors of the
start, with the line and what to do. Secrets themselves stand in files or in variables of
the environment (`secret.py`); `connect` and `keys` read them.
"""

import datetime as dt
import fnmatch
import hashlib
import re
import tomllib

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from icu_stream.access.roles import Person as Asker
from icu_stream.access.roles import Role
from icu_stream.contracts.alerts import Priority
from icu_stream.contracts.commands import CommandType
from icu_stream.errors import ConfigurationError
from icu_stream.pager import channels, places, shifts, signature
from icu_stream.pager.channels import KINDS, Channel
from icu_stream.pager.posting import Post
from icu_stream.pager.secret import Secret
from icu_stream.pager.shifts import DAY_MIN, DAYS, Shift


# Of the second channel, by which the pager says that paging itself fails.
BACKUP = "backup"
# Ours: a high alarm that nobody answered is not let go; every so often all are paged anew.
REPEAT_S = 600.0
_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,31}$")
_CLOCK = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)$")
_MISSING = re.compile(r"^Object missing required field `(.+?)`")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.+?)`")
_NO_OBJECT = "Expected `object`, got `str`"
_AT = re.compile(r" - at `\$(.*)`$")
_PLACE = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[\.\.\.\]")
_T = TypeVar("_T", bound=msgspec.Struct)

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_Names = Annotated[list[str], msgspec.Meta(min_length=1)]


class Target(NamedTuple):
    """One way to one person.

    Attributes:
        id: `person/name`; of the second channel `backup/name`.
        person: Whose.
        kind: Of the channel.
        where: Its struct.
        line: Where it stands, for errors.
    """

    id: str
    person: str
    kind: str
    where: Any
    line: str

    @property
    def mark(self) -> str:
        """Of its settings: other ones are another target. Holds no secret."""
        text = msgspec.json.encode([self.kind, self.where])
        return hashlib.sha256(text).hexdigest()[:16]


class Person(NamedTuple):
    """Somebody who is paged.

    Attributes:
        id: Of the table.
        name: Identity, as in every command that they answer with.
        role: As what they answer.
        targets: Every way to them; all are used at once.
        answers: Secret that signs their answers; None: none are taken from them.
        line: Where they stand, for errors.
    """

    id: str
    name: str
    role: Role
    targets: tuple[Target, ...]
    answers: Secret | None
    line: str


class Level(NamedTuple):
    """One step of a chain.

    Attributes:
        after_s: Since the chain began.
        page: Persons and duties.
    """

    after_s: float
    page: tuple[str, ...]


class Chain(NamedTuple):
    """Who is paged about an alarm, one level after the other.

    Attributes:
        levels: The first one at once.
        repeat_s: After the last one it begins anew, so many seconds later.
    """

    levels: tuple[Level, ...]
    repeat_s: float

    def wait_s(self, level: int) -> float:
        """How long after one level (from 0) the next one is paged."""
        if level + 1 < len(self.levels):
            return self.levels[level + 1].after_s - self.levels[level].after_s
        return self.repeat_s


class Unit(NamedTuple):
    """Some beds, and their chains; a priority without one pages nobody."""

    name: str
    beds: tuple[str, ...]
    chains: Mapping[Priority, Chain]


class Plan(NamedTuple):
    """The whole of it.

    Attributes:
        people: By id.
        duties: By name: each shift and who has it.
        units: The first one that has a bed counts.
        backup: The second channel.
        window_s: A page that was not taken for so long is given up, loudly.
        timeout_s: What a target gets to answer.
    """

    people: Mapping[str, Person]
    duties: Mapping[str, tuple[tuple[Shift, tuple[str, ...]], ...]]
    units: tuple[Unit, ...]
    backup: tuple[Target, ...]
    window_s: float
    timeout_s: float

    @property
    def targets(self) -> dict[str, Target]:
        """Every person's, by id."""
        return {t.id: t for person in self.people.values() for t in person.targets}

    def unit(self, bed: str) -> Unit:
        """Whose chains count for a bed; the last unit has every other bed."""
        return next(
            unit
            for unit in self.units
            if any(fnmatch.fnmatchcase(bed, pattern) for pattern in unit.beds)
        )

    def on_duty(self, names: Iterable[str], now_ms: int) -> list[Person]:
        """Who that is at a moment, each once, in order."""
        found: dict[str, Person] = {}
        for name in names:
            if name in self.people:
                found.setdefault(name, self.people[name])
                continue
            for shift, who in self.duties[name]:
                if shift.holds(now_ms):
                    found |= {one: self.people[one] for one in who if one not in found}
        return list(found.values())

    def connect(
        self, post: Post, language: str, *, backup: bool = False
    ) -> dict[str, Channel]:
        """The channels of everybody, or of the second channel, by target.

        Raises:
            ConfigurationError: Of each one that cannot be made, the line and why.
        """
        made, wrong = {}, []
        for target in self.backup if backup else self.targets.values():
            try:
                made[target.id] = channels.make(
                    target.kind, target.where, post, language
                )
            except ConfigurationError as error:
                wrong.append(f"{target.line}: {error}")
        if wrong:
            raise ConfigurationError("\n".join(wrong))
        return made

    def keys(self) -> dict[str, bytes]:
        """What signs each person's answers, by id; of those from whom they are taken.

        Raises:
            ConfigurationError: Of each one that is none, the line and why.
        """
        made, wrong = {}, []
        for person in self.people.values():
            if person.answers is None:
                continue
            try:
                secret = person.answers.read().get_secret_value()
                made[person.id] = signature.key(secret)
            except ConfigurationError as error:
                wrong.append(f"{person.line}, answers: {error}")
        if wrong:
            raise ConfigurationError("\n".join(wrong))
        return made


class _General(msgspec.Struct, forbid_unknown_fields=True):
    time_zone: str
    # A page that is a quarter of an hour late calls nobody to what it was about (ours).
    window_s: Annotated[float, msgspec.Meta(ge=10, le=86_400)] = 900.0
    # Standard Webhooks recommends 15 to 30 s; a page cannot wait for so long (ours).
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=30)] = 10.0


class _Person(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(pattern=r"^[!-~]([ -~]*[!-~])?$", max_length=64)]
    target: Annotated[dict[str, Any], msgspec.Meta(min_length=1)]
    role: Role = Role.NURSE
    answers: Secret | None = None


class _Shift(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    from_: Annotated[str, msgspec.Meta(pattern=_CLOCK.pattern)]
    to: Annotated[str, msgspec.Meta(pattern=_CLOCK.pattern)]
    days: list[str] = msgspec.field(default_factory=lambda: list(DAYS))
    time_zone: str | None = None


class _Level(msgspec.Struct, forbid_unknown_fields=True):
    after_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)]
    page: _Names


class _Chain(msgspec.Struct, forbid_unknown_fields=True):
    level: Annotated[list[_Level], msgspec.Meta(min_length=1)]
    repeat_s: _Seconds = REPEAT_S


class _Unit(msgspec.Struct, forbid_unknown_fields=True):
    beds: _Names
    high: _Chain
    medium: _Chain | None = None


class _Backup(msgspec.Struct, forbid_unknown_fields=True):
    target: Annotated[dict[str, Any], msgspec.Meta(min_length=1)]


_SECTIONS = ("person", "shift", "duty", "unit", BACKUP)


def load(path: Path) -> Plan:
    """Read a plan.

    Raises:
        ConfigurationError: Not there, not TOML, or everything in it that is wrong, a line
            each: file, line, key, what is wrong and what is wanted.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        msg = f"pager's configuration {path}: {why}; see docs/pager.md for an example"
        raise ConfigurationError(msg) from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path.name}: not TOML: {error}"
        raise ConfigurationError(msg) from None
    reader = _Reader(path.name, text, content)
    made = reader.plan()
    if reader.wrong or made is None:
        raise ConfigurationError("\n".join(reader.wrong))
    return made


def may_acknowledge(role: Role) -> bool:
    """May somebody in that role acknowledge an alarm?"""
    return Asker("anybody", role, 0).may(CommandType.ACKNOWLEDGE)


class _Reader:
    """Turns the TOML into a plan, and notes everything that is wrong."""

    def __init__(self, file: str, text: str, content: dict[str, Any]) -> None:
        self.wrong: list[str] = []
        self._file = file
        self._lines = places.lines(text)
        self._content = content

    def plan(self) -> Plan | None:
        general = {k: v for k, v in self._content.items() if k not in _SECTIONS}
        base = self._struct(_General, general, ())
        zone = self._zone(base.time_zone, ("time_zone",)) if base else None
        people = self._people()
        known = self._shifts(zone)
        duties = self._duties(known, people)
        units = self._units(people, duties)
        backup = self._backup(people)
        if base is None or self.wrong:
            return None
        return Plan(people, duties, units, backup, base.window_s, base.timeout_s)

    def _people(self) -> dict[str, Person]:
        people: dict[str, Person] = {}
        names: dict[str, str] = {}
        for id_, table in self._tables("person", "who is paged"):
            path: places.Path = ("person", id_)
            found = self._struct(_Person, table, path)
            if found is None:
                continue
            if id_ == BACKUP:
                self._note(path, "a person may not be called so: want another name")
            if (other := names.setdefault(found.name, id_)) != id_:
                self._note(
                    (*path, "name"),
                    f"{found.name!r} is {other}'s, too: want a name for each person",
                )
            if found.answers is not None and not may_acknowledge(found.role):
                roles = ", ".join(role for role in Role if may_acknowledge(role))
                self._note(
                    (*path, "role"),
                    f"a {found.role} may not acknowledge: want {roles}, or no answers",
                )
            people[id_] = Person(
                id_,
                found.name,
                found.role,
                self._targets(found.target, id_, path),
                found.answers,
                self._where(path),
            )
        return people

    def _targets(
        self, tables: dict[str, Any], person: str, path: places.Path
    ) -> tuple[Target, ...]:
        found: list[Target] = []
        for name, table in tables.items():
            here = (*path, "target", name)
            if not self._is_name(name, here) or not self._is_table(table, here):
                continue
            kind = table.get("channel")
            if kind not in KINDS:
                self._note(
                    (*here, "channel"),
                    f"{'missing' if kind is None else repr(kind)}: want one of "
                    f"{', '.join(KINDS)}",
                )
                continue
            rest = {key: value for key, value in table.items() if key != "channel"}
            where: Any = self._struct(KINDS[kind].where, rest, here)
            if where is not None:
                found.append(
                    Target(f"{person}/{name}", person, kind, where, self._where(here))
                )
        return tuple(found)

    def _shifts(self, zone: ZoneInfo | None) -> dict[str, Shift]:
        known: dict[str, Shift] = {}
        for name, table in self._tables("shift", ""):
            path: places.Path = ("shift", name)
            found = self._struct(_Shift, table, path)
            if found is None:
                continue
            if unknown := [day for day in found.days if day not in DAYS]:
                self._note(
                    (*path, "days"), f"{unknown[0]!r}: want some of {', '.join(DAYS)}"
                )
                continue
            own = zone
            if found.time_zone is not None:
                own = self._zone(found.time_zone, (*path, "time_zone"))
            if own is not None:
                known[name] = Shift(
                    name,
                    frozenset(DAYS.index(day) for day in found.days),
                    _minutes(found.from_),
                    _minutes(found.to),
                    own,
                )
        return known

    def _duties(
        self, known: dict[str, Shift], people: dict[str, Person]
    ) -> dict[str, tuple[tuple[Shift, tuple[str, ...]], ...]]:
        duties = {}
        for name, table in self._tables("duty", ""):
            path: places.Path = ("duty", name)
            if name in people:
                self._note(path, "a person is called so, too: want another name")
            rows = []
            for shift, who in table.items():
                here = (*path, shift)
                if shift not in known:
                    have = ", ".join(known) or "none"
                    self._note(here, f"no such shift: have {have}; add [shift.{shift}]")
                elif self._is_names(who, here, people, "person"):
                    rows.append((known[shift], tuple(who)))
            duties[name] = tuple(rows)
            zones = {shift.zone for shift, _ in rows}
            gap = shifts.uncovered(shift for shift, _ in rows)
            if len(rows) == len(table) and gap is not None:
                self._note(
                    path,
                    f"nobody from {_weekly(gap[0])} to {_weekly(gap[1])}: want somebody "
                    "at every hour of the week",
                )
            if len(zones) > 1:
                self._note(path, "its shifts have several time zones: want one")
        return duties

    def _units(
        self,
        people: dict[str, Person],
        duties: Mapping[str, Any],
    ) -> tuple[Unit, ...]:
        units = []
        for name, table in self._tables("unit", "which beds there are"):
            path: places.Path = ("unit", name)
            if "low" in table:
                self._note(
                    (*path, "low"), "low alarms page nobody: want high and medium alone"
                )
                continue
            found = self._struct(_Unit, table, path)
            if found is None:
                continue
            chains: dict[Priority, Chain] = {}
            for priority, chain in (
                (Priority.HIGH, found.high),
                (Priority.MEDIUM, found.medium),
            ):
                if chain is not None:
                    here = (*path, str(priority))
                    self._check_chain(chain, here, [*people, *duties])
                    levels = (Level(x.after_s, tuple(x.page)) for x in chain.level)
                    chains[priority] = Chain(tuple(levels), chain.repeat_s)
            units.append(Unit(name, tuple(found.beds), chains))
        if units and not self.wrong and "*" not in units[-1].beds:
            self._note(
                ("unit", units[-1].name, "beds"),
                'a bed that no unit has would page nobody: want ["*"] in the last unit',
            )
        return tuple(units)

    def _check_chain(
        self, chain: _Chain, path: places.Path, known: Iterable[str]
    ) -> None:
        before = -1.0
        for number, level in enumerate(chain.level):
            here = (*path, "level", number)
            if number == 0 and level.after_s != 0:
                self._note(
                    here, f"after_s = {level.after_s:g}: want 0, the first at once"
                )
            elif level.after_s <= before:
                self._note(
                    here,
                    f"after_s = {level.after_s:g}, not after the {before:g} before it: "
                    "want seconds since the chain began, rising",
                )
            before = level.after_s
            self._is_names(level.page, (*here, "page"), known, "person or duty")

    def _backup(self, people: dict[str, Person]) -> tuple[Target, ...]:
        path: places.Path = (BACKUP,)
        table = self._content.get(BACKUP)
        if not isinstance(table, dict):
            self._note(
                path,
                "missing: want [backup.target.NAME], a second channel by which the pager "
                "says that paging itself fails",
            )
            return ()
        found = self._struct(_Backup, table, path)
        if found is None:
            return ()
        targets = self._targets(found.target, BACKUP, path)
        used = {
            _place(target) for person in people.values() for target in person.targets
        }
        if targets and all(_place(target) in used for target in targets):
            self._note(
                path,
                "every target of it is at a place that pages go to, too: want another "
                "service, which does not fail with the first one",
            )
        return targets

    # --- what is wrong, and where

    def _tables(self, section: str, what: str) -> list[tuple[str, dict[str, Any]]]:
        content = self._content.get(section, {})
        if not isinstance(content, dict) or (what and not content):
            self._note((section,), f"want [{section}.NAME]: {what or 'tables'}")
            return []
        return [
            (name, table)
            for name, table in content.items()
            if self._is_name(name, (section, name))
            and self._is_table(table, (section, name))
        ]

    def _is_name(self, name: str, path: places.Path) -> bool:
        if _NAME.match(name):
            return True
        self._note(path, "want a name of 1 to 32 lower-case letters, digits, - and _")
        return False

    def _is_table(self, table: object, path: places.Path) -> bool:
        if isinstance(table, dict):
            return True
        self._note(path, f"want a table: [{places.named(path)}]")
        return False

    def _is_names(
        self, names: object, path: places.Path, known: Iterable[str], what: str
    ) -> bool:
        have = list(known)
        if not (isinstance(names, list) and names):
            self._note(path, f"want a list of names: each a {what}")
            return False
        if unknown := [name for name in names if name not in have]:
            self._note(
                path, f"no {what} {unknown[0]!r}: have {', '.join(map(str, have))}"
            )
            return False
        return True

    def _zone(self, name: str, path: places.Path) -> ZoneInfo | None:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._note(path, f"{name!r}: want an IANA name, as Europe/Berlin")
            return None

    def _struct(self, type_: type[_T], table: object, path: places.Path) -> _T | None:
        try:
            return msgspec.convert(table, type_)
        except msgspec.ValidationError as error:
            text = str(error)
            at = _AT.search(text)
            if at is not None:
                text = text[: at.start()]
                path = (*path, *_path(at[1]))
            if text == _NO_OBJECT and at is not None:
                text = 'want { file = "..." } or { env = "..." }: no secret stands here'
            elif missing := _MISSING.match(text):
                text = f"{missing[1]} is missing"
            elif unknown := _UNKNOWN.match(text):
                path = (*path, unknown[1])
                text = "no such key"
                if at is None:
                    text += (
                        f": want some of {', '.join(type_.__struct_encode_fields__)}"
                    )
            self._note(path, text)
            return None

    def _note(self, path: places.Path, what: str) -> None:
        self.wrong.append(f"{self._where(path)}: {what}")

    def _where(self, path: places.Path) -> str:
        line = places.nearest(self._lines, path)
        where = f"{self._file}, line {line}" if line is not None else self._file
        return f"{where}, {places.named(path)}" if path else where


def _path(text: str) -> places.Path:
    """What msgspec says after `$`."""
    found: list[str | int] = []
    for key, index in _PLACE.findall(text):
        if index:
            found.append(int(index))
        elif key:
            found.append(key)
    return tuple(found)


def _place(target: Target) -> str:
    return str(KINDS[target.kind].place(target.where))


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _weekly(minute: int) -> str:
    """A minute of the week as a person says it.

    >>> _weekly(0), _weekly(6 * 1440 + 61)
    ('Mon 00:00', 'Sun 01:01')
    """
    day, rest = divmod(minute % shifts.WEEK_MIN, DAY_MIN)
    return f"{DAYS[day].capitalize()} {dt.time(rest // 60, rest % 60):%H:%M}"
