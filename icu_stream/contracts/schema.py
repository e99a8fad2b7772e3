"""JSON Schema of every message and one AsyncAPI document, made from the structs.

Pure: `documents()` returns texts by file name. They are kept in `contracts/schemas/`, a
test compares, and `icu-stream schema` writes them.
"""

import inspect
import json
import re

from collections.abc import Sequence
from typing import Any, get_args, get_origin

import msgspec

from icu_stream.contracts import dead_letters, envelope
from icu_stream.contracts.commands import Command
from icu_stream.contracts.topics import (
    ALERTS,
    AUDIT,
    COMMANDS,
    DEAD_LETTERS,
    HOUR_MS,
    TOPICS,
    VITALS,
    Topic,
)


Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Of the vocabulary, not of the package: it moves when a struct does, and its first
# number never, since contracts only gain optional fields.
VERSION = "1.0.0"
PARTITIONING = (
    "The key is the patient_id and the partitioner is Kafka's own murmur2 (the default "
    "of the Java client and of aiokafka; in librdkafka set partitioner=murmur2_random). "
    "A record that arrives in another patient's partition is sent on to its own."
)
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)


def documents() -> dict[str, str]:
    """Every document, by file name; the same text for the same structs."""
    files = {
        f"{topic.name}.schema.json": _schema(topic.name, topic.struct.__name__)
        for topic in TOPICS
        if topic.struct is not None
    }
    files["asyncapi.json"] = _asyncapi()
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in files.items()
    }


def table() -> str:
    """The topics as a Markdown table, for the documentation."""
    lines = [
        "| topic | key | message | partitions | kept | |",
        "|---|---|---|---|---|---|",
    ]
    for topic in TOPICS:
        if topic.struct is None:
            message = "raw bytes"
        else:
            file = f"../icu_stream/contracts/schemas/{topic.name}.schema.json"
            message = f"[{topic.struct.__name__}]({file})"
        hours = topic.retention_ms // HOUR_MS
        kept = f"{hours} h" if hours < 48 else f"{hours // 24} d"
        partitions = "`ICU_PARTITIONS`" if topic.patients else "1"
        lines.append(
            f"| `{topic.name}` | `{topic.key}` | {message} | {partitions} | {kept} "
            f"| {topic.summary} |"
        )
    return "\n".join(lines)


def _components(root: str) -> dict[str, Json]:
    """Schemas of all messages, and of what they are made of."""
    structs = [topic.struct for topic in TOPICS if topic.struct is not None]
    return described(structs, root)[1]


def described(types: Sequence[Any], root: str) -> tuple[list[Json], dict[str, Json]]:
    """Schemas of some types, each attribute with its line of docstring.

    Args:
        types: As annotations have them.
        root: Of the references, such as `#/$defs`.

    Returns:
        The schema of each, and by name those of the structs and enums they are made of.
    """
    made, found = msgspec.json.schema_components(types, ref_template=f"{root}/{{name}}")
    classes = _types(types)
    for name, schema in found.items():
        text = inspect.getdoc(get_origin(classes[name]) or classes[name]) or ""
        summary, _, attributes = text.partition("\n\nAttributes:\n")
        schema["description"] = " ".join(summary.split())
        for attribute, line in _ATTRIBUTE.findall(attributes):
            name_ = _encoded(classes[name], attribute)
            schema["properties"][name_]["description"] = " ".join(line.split())
    return list(made), found


def _encoded(cls: Any, attribute: str) -> str:
    """The name of an attribute in JSON."""
    fields = msgspec.structs.fields(cls)
    return next(f.encode_name for f in fields if f.name == attribute)


def _name(cls: Any) -> str:
    """As msgspec names it: of a generic one, with what it is made of."""
    arguments = [argument.__name__ for argument in get_args(cls)]
    return f"{cls.__name__}_{'_'.join(arguments)}_" if arguments else str(cls.__name__)


def _types(structs: Sequence[Any]) -> dict[str, Any]:
    """Every struct and enum that the structs are made of, by name."""
    names: dict[str, Any] = {}
    queue: list[Any] = list(msgspec.inspect.multi_type_info(structs))
    while queue:
        info = queue.pop()
        if isinstance(info, msgspec.inspect.StructType | msgspec.inspect.EnumType):
            name = _name(info.cls)
            if name in names:
                continue
            names[name] = info.cls
        queue += [field.type for field in getattr(info, "fields", ())]
        queue += getattr(info, "types", ())
        parts = ("type", "item_type", "key_type", "value_type")
        queue += [getattr(info, part) for part in parts if hasattr(info, part)]
    return names


def _needed(name: str, components: dict[str, Json]) -> set[str]:
    """The components that a component is made of, itself included."""
    needed: set[str] = set()
    queue = [name]
    while queue:
        current = queue.pop()
        if current not in needed:
            needed.add(current)
            text = json.dumps(components[current])
            queue += re.findall(r'"#/\$defs/(\w+)"', text)
    return needed


def _schema(topic: str, name: str) -> Json:
    components = _components("#/$defs")
    needed = _needed(name, components) - {name}
    schema: Json = {"$schema": DIALECT, "$id": f"urn:icu-stream:schema:{topic}"}
    schema |= components[name]
    if needed:
        schema["$defs"] = {other: components[other] for other in sorted(needed)}
    return schema


def _header(description: str, **more: object) -> Json:
    return {"type": "string", "description": description, **more}


def _headers(properties: dict[str, Json], required: list[str]) -> Json:
    return {"type": "object", "properties": properties, "required": required}


def _cloud_event_headers() -> Json:
    fixed = {
        "ce_specversion": "1.0",
        "ce_type": envelope.ALERT_TYPE.decode(),
        "ce_source": envelope.SOURCE.decode(),
        "content-type": "application/json",
    }
    properties = {
        name: _header("CloudEvents 1.0, Kafka binary mode.", const=value)
        for name, value in fixed.items()
    }
    properties["ce_id"] = _header(
        "alert_id/transition; of a `standing` alert alert_id/transition@time. The same "
        "id is the same alert: drop repeats."
    )
    properties["ce_subject"] = _header("The patient_id.")
    return _headers(properties, sorted(properties))


def _dead_letter_headers() -> Json:
    properties = {
        "topic": _header("Where the record was read, full name."),
        "partition": _header("Of the record, decimal."),
        "offset": _header("Of the record, decimal; -1 for saved state."),
        "reason": _header("One line: what was wrong.", maxLength=400),
        "size": _header("Bytes of the record's value, which may be cut here, decimal."),
        "detail": _header("A traceback, where there is one.", maxLength=8_000),
    }
    return _headers(properties, [name for name in properties if name != "detail"])


_MARKS = {
    envelope.FORWARDED: _header(
        "The record came in another partition, this one, and was sent on."
    ),
    envelope.REPLAY: _header(
        "Recorded earlier: its arrival says nothing about the device's clock. The value "
        "is the speed of the replay, or `max`."
    ),
}


def _messages() -> dict[str, Json]:
    """The messages of the AsyncAPI document, by name."""
    messages = {
        topic.name: {
            "name": topic.name,
            "title": topic.struct.__name__,
            "summary": topic.summary,
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{topic.struct.__name__}"},
        }
        for topic in TOPICS
        if topic.struct is not None
    }
    messages[VITALS.name]["headers"] = _headers(dict(_MARKS), [])
    messages[ALERTS.name]["headers"] = _cloud_event_headers()
    messages["tick"] = {
        "name": "tick",
        "title": "Tick",
        "summary": "The worker's clock says that time passes; written by the worker.",
        "contentType": "application/json",
        "headers": _headers(
            {envelope.TICK: _header("A tick: nothing was measured.", const="1")},
            [envelope.TICK],
        ),
        "payload": {"$ref": "#/components/schemas/Vitals"},
    }
    messages["sequenced-command"] = {
        "name": "sequenced-command",
        "title": "Command in its place",
        "summary": "A command, put into the patient's one log by the worker.",
        "contentType": "application/json",
        "headers": _headers(
            {
                envelope.COMMAND: _header("The value is a Command.", const="1"),
                envelope.FORWARDED: _MARKS[envelope.FORWARDED],
            },
            [envelope.COMMAND],
        ),
        "payload": {"$ref": f"#/components/schemas/{Command.__name__}"},
    }
    messages[DEAD_LETTERS.name] = {
        "name": DEAD_LETTERS.name,
        "title": "Dead letter",
        "summary": DEAD_LETTERS.summary,
        "contentType": "application/octet-stream",
        "headers": _dead_letter_headers(),
        "payload": {
            "type": "string",
            "format": "binary",
            "maxLength": dead_letters.MAX_VALUE_BYTES,
            "description": "The refused value, byte for byte, cut after that.",
        },
    }
    for topic in TOPICS:
        key = {"type": "string", "description": topic.key}
        messages[topic.name]["bindings"] = {
            "kafka": {"key": key, "bindingVersion": "0.5.0"}
        }
    return messages


def _channel(topic: Topic) -> Json:
    names = [topic.name]
    if topic is VITALS:
        names += ["tick", "sequenced-command"]
    kafka: Json = {
        "topicConfiguration": {
            "cleanup.policy": ["delete"],
            "retention.ms": topic.retention_ms,
        },
        "bindingVersion": "0.5.0",
    }
    if not topic.patients:
        kafka["partitions"] = 1
    channel: Json = {
        "address": f"{{prefix}}{topic.name}",
        "summary": topic.summary,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "parameters": {"prefix": {"$ref": "#/components/parameters/prefix"}},
        "bindings": {"kafka": kafka},
    }
    if topic.patients:
        channel["description"] = PARTITIONING
    return channel


def _asyncapi() -> Json:
    """What the worker reads (`receive`) and writes (`send`), AsyncAPI 3.0."""
    operations = {}
    for topic in TOPICS:
        if topic is AUDIT:
            continue  # written by the processes that people talk to, not by the worker
        reads = topic in {VITALS, COMMANDS}
        operations[f"{'read' if reads else 'write'}-{topic.name}"] = {
            "action": "receive" if reads else "send",
            "channel": {"$ref": f"#/channels/{topic.name}"},
            "messages": [{"$ref": f"#/channels/{topic.name}/messages/{topic.name}"}],
        }
    operations[f"write-{VITALS.name}"] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{VITALS.name}"},
        "summary": "Time and commands, put in order with what devices measured.",
        "messages": [
            {"$ref": f"#/channels/{VITALS.name}/messages/{name}"}
            for name in ("tick", "sequenced-command")
        ],
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "icu-stream",
            "version": VERSION,
            "description": (
                "The topics of icu-stream, as its stream worker sees them. A reader lets "
                "unknown fields pass; fields are only ever added, and are optional. "
                "Secondary notification only, not a medical device."
            ),
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": operations,
        "components": {
            "messages": _messages(),
            "parameters": {
                "prefix": {
                    "description": "ICU_TOPIC_PREFIX",
                    "default": "icu.",
                }
            },
            "schemas": dict(sorted(_components("#/components/schemas").items())),
        },
    }
