"""icu-stream: every vital sign of every bed through one Kafka-backed stream.

A secondary notification and analysis system, not a medical device.
"""

from importlib.metadata import version


__version__ = version("icu-stream")
