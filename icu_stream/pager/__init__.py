"""The pager: who is told of an alarm that nobody at the bed has seen, and how.

Its order is fixed: what is to be sent is written to the outbox (`outbox.py`), then Kafka's
offset is committed, then it is sent (`sender.py`), then that it was is written down. A crash
between any two of them repeats the last step, never leaves it out.
"""
