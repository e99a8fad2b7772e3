"""The stores: PostgreSQL, InfluxDB, what fills them, and how they are read.

Nothing on the way of an alarm imports it: a store that is slow, full or gone delays the
history and nothing else.
"""
