"""Old readers understand new writers and the other way round, for every struct."""

import msgspec
import pytest

from icu_stream.contracts import schema
from tests.unit.contracts.examples import FULL


def of(example: msgspec.Struct) -> str:
    return type(example).__name__


def optional(example: msgspec.Struct) -> list[str]:
    return [f.name for f in msgspec.structs.fields(example) if not f.required]


def without(example: msgspec.Struct, name: str) -> type[msgspec.Struct]:
    """The struct as it was before it had a field."""
    fields = []
    for field in msgspec.structs.fields(example):
        if field.name == name:
            continue
        if field.required:
            fields.append((field.name, field.type))
        elif field.default is not msgspec.NODEFAULT:
            fields.append((field.name, field.type, field.default))
        else:
            default = msgspec.field(default_factory=field.default_factory)
            fields.append((field.name, field.type, default))
    return msgspec.defstruct(
        f"Old{of(example)}", fields, kw_only=True, frozen=True, omit_defaults=True
    )


PAIRS = [
    pytest.param(example, name, id=f"{of(example)}.{name}")
    for example in FULL
    for name in optional(example)
]


def test_there_is_an_example_of_every_struct():
    named = {
        name
        for name, part in schema._components("").items()
        if part.get("type") == "object"
    }

    assert {of(example) for example in FULL} == named


@pytest.mark.parametrize("example", FULL, ids=of)
def test_an_example_fills_every_field(example):
    empty = [
        name
        for name, field in zip(
            example.__struct_fields__, msgspec.structs.fields(example), strict=True
        )
        if not field.required
        and getattr(example, name)
        == (
            field.default_factory()
            if field.default is msgspec.NODEFAULT
            else field.default
        )
    ]

    assert empty == []


@pytest.mark.parametrize("example", FULL, ids=of)
def test_a_message_survives_the_wire(example):
    assert msgspec.json.decode(msgspec.json.encode(example), type=type(example)) == (
        example
    )


@pytest.mark.parametrize("example", FULL, ids=of)
def test_a_field_nobody_knows_is_let_through(example):
    newer = msgspec.to_builtins(example) | {"not_yet_invented": {"a": [1, None]}}

    assert msgspec.convert(newer, type=type(example)) == example
    assert msgspec.json.decode(msgspec.json.encode(newer), type=type(example)) == (
        example
    )


@pytest.mark.parametrize(("example", "name"), PAIRS)
def test_an_old_reader_reads_a_newer_message(example, name):
    old = without(example, name)

    read = msgspec.json.decode(msgspec.json.encode(example), type=old)

    kept = set(example.__struct_fields__) - {name}
    assert {f: getattr(read, f) for f in kept} == {f: getattr(example, f) for f in kept}


@pytest.mark.parametrize(("example", "name"), PAIRS)
def test_a_new_reader_reads_an_older_message(example, name):
    fields = {f: getattr(example, f) for f in example.__struct_fields__ if f != name}
    written = msgspec.json.encode(without(example, name)(**fields))

    read = msgspec.json.decode(written, type=type(example))

    assert {f: getattr(read, f) for f in fields} == fields
    assert read == type(example)(**fields)
