"""Canaries: patients who do not exist, by whom a ward view tests the whole chain.

Their records go the way of everybody's, through the same worker and the same rules, so
that what comes back proves that way; nothing on it treats them differently. Whoever
counts, shows, stores, judges or pages patients asks `is_canary` and passes them over.
"""

# No hospital numbers its patients so: this start of an id is reserved.
PREFIX = "icu-canary-"
_KEY = PREFIX.encode()


def is_canary(patient: str | bytes | None) -> bool:
    """Is this no patient, but a test of the chain?

    Args:
        patient: The id, or the key of a record, which is the id.

    >>> is_canary("icu-canary-ward-1-8050-3"), is_canary(b"p-0007"), is_canary(None)
    (True, False, False)
    """
    if isinstance(patient, bytes):
        return patient.startswith(_KEY)
    return patient is not None and patient.startswith(PREFIX)
