"""The published schemas are those of the code and hold for what the code writes."""

import json
import re

from pathlib import Path

import jsonschema
import msgspec
import pytest

from icu_stream.contracts import schema
from icu_stream.contracts.topics import TOPICS
from tests.kafka import ROOT
from tests.unit.contracts.examples import FULL


COMMITTED = Path(schema.__file__).with_name("schemas")
MESSAGES = ROOT / "docs" / "messages.md"
BY_STRUCT = {topic.struct: topic.name for topic in TOPICS if topic.struct}


def validator(topic: str) -> jsonschema.Draft202012Validator:
    document = json.loads(schema.documents()[f"{topic}.schema.json"])
    return jsonschema.Draft202012Validator(document)


def documented() -> list[tuple[str, str]]:
    """The examples of docs/messages.md: topic, JSON."""
    found = []
    for section in re.split(r"^## ", MESSAGES.read_text(), flags=re.MULTILINE)[1:]:
        topic = section.split()[0]
        blocks = re.findall(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        for block in blocks:
            result = topic == "commands" and '"accepted"' in block
            found.append(("command-results" if result else topic, block))
    return found


def test_the_committed_schemas_are_those_of_the_code():
    committed = {path.name: path.read_text() for path in COMMITTED.glob("*.json")}

    assert committed == schema.documents(), "run: icu-stream schema"


def test_the_documented_table_of_topics_is_that_of_the_code():
    assert schema.table() in MESSAGES.read_text(), f"want:\n{schema.table()}"


@pytest.mark.parametrize("topic", sorted(BY_STRUCT.values()))
def test_each_schema_is_valid_by_its_own_dialect(topic):
    jsonschema.Draft202012Validator.check_schema(validator(topic).schema)


@pytest.mark.parametrize(
    "example", [e for e in FULL if type(e) in BY_STRUCT], ids=lambda e: type(e).__name__
)
def test_what_the_code_writes_is_valid(example):
    written = json.loads(msgspec.json.encode(example))

    validator(BY_STRUCT[type(example)]).validate(written)


@pytest.mark.parametrize(
    ("topic", "text"), documented(), ids=[topic for topic, _ in documented()]
)
def test_each_documented_example_is_valid_and_is_read(topic, text):
    [struct] = [struct for struct, name in BY_STRUCT.items() if name == topic]

    validator(topic).validate(json.loads(text))
    message = msgspec.json.decode(text, type=struct)

    # Nothing in the example is misspelt: each of its fields is one of the struct's.
    assert json.loads(text).keys() <= set(message.__struct_fields__)


def test_every_topic_with_a_schema_has_a_documented_example():
    assert {topic for topic, _ in documented()} == set(BY_STRUCT.values())


@pytest.mark.parametrize(
    ("field", "value"),
    [("patient_id", ""), ("patient_id", " p"), ("time", "now"), ("interval_s", 0)],
)
def test_what_the_reader_refuses_is_not_valid_either(field, value):
    message = {"patient_id": "p-0007", "time": 0} | {field: value}
    [struct] = [struct for struct, name in BY_STRUCT.items() if name == "vitals"]

    assert not validator("vitals").is_valid(message)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(message, type=struct)


def test_every_reference_in_the_asyncapi_document_leads_somewhere():
    document = json.loads(schema.documents()["asyncapi.json"])
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))

    for reference in references:
        target = document
        for step in reference.split("/"):
            target = target[step]

    assert len(references) > 50
    assert set(document["channels"]) == {topic.name for topic in TOPICS}


def test_every_field_of_every_message_is_described():
    components = json.loads(schema.documents()["asyncapi.json"])["components"]
    silent = [
        f"{name}.{field}"
        for name, part in components["schemas"].items()
        for field, about in part.get("properties", {}).items()
        if "description" not in about
    ]

    assert silent == []
