"""Puts what people ask in order with what devices measure.

A command is appended to the patient's place in the vitals log and done there, so a replay
after a crash meets it between the same two samples.
"""

from typing import Any

import msgspec

from faust.types import StreamT

from icu_stream.contracts import envelope, topics
from icu_stream.contracts.commands import Command
from icu_stream.engine.application import app


_DECODER = msgspec.json.Decoder(Command)


@app.watcher(topics.COMMANDS)
async def sequence_commands(stream: StreamT[Any]) -> None:
    """Append each readable command to the log; the others are refused."""
    async for chunk in app.chunks(stream):
        part = app.parts[chunk.tp]
        for record in chunk.records:
            try:
                command = _DECODER.decode(record.value or b"")
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                part.refuse(record, f"command: {error}")
                continue
            part.append(command.patient_id, record.value, [(envelope.COMMAND, b"1")])
