"""Canaries: patients who do not exist, by whom a ward view tests the whole chain.

Their records go the way of everybody's, through the same worker and the same rules, so
that what comes back proves that way; nothing on it treats them differently. Whoever
counts, shows, stores, judges or pages patients asks `is_canary` and passes them over.
"""

# No hospital numbers its patients so: this start of an id is reserved.
PREFIX = "icu-canary-"


def is_canary(patient_id: str) -> bool:
    """Is this no patient, but a test of the chain?

    >>> is_canary("icu-canary-ward-1-8050-3"), is_canary("p-0007")
    (True, False)
    """
    return patient_id.startswith(PREFIX)
