"""What could not be processed: the raw message, and in headers why.

The value of a dead letter is the value that was refused, byte for byte, cut after
`MAX_VALUE_BYTES`; its key is `topic-partition-offset`, so a repeat is the same letter.
"""

from icu_stream.contracts.envelope import Headers


MAX_VALUE_BYTES = 512 * 1024


def key(topic: str, partition: int, offset: int) -> bytes:
    """Key of the dead letter of one record."""
    return f"{topic}-{partition}-{offset}".encode()


def headers(
    topic: str, partition: int, offset: int, reason: str, size: int, detail: str = ""
) -> Headers:
    """Headers of the dead letter of one record.

    Args:
        topic: Where the record was read, full name.
        partition: Of the record.
        offset: Of the record.
        reason: One line: what was wrong.
        size: Bytes of the record's value, which may be cut in the letter.
        detail: A traceback, where there is one.
    """
    fields = {
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
        "reason": reason[:400],
        "size": str(size),
    }
    if detail:
        fields["detail"] = detail[-8_000:]
    return [(name, text.encode()) for name, text in fields.items()]
