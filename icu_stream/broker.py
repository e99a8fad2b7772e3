"""The embedded broker of the demo: librdkafka's mock cluster, in a process of its own.

`python -m icu_stream.broker` prints `host:port` and lives until it is told to end. It
keeps the newest 5 MB or 100,000 records of each partition in memory and nothing on disk;
what else it lacks beside Apache Kafka is in docs/guide.md, "The embedded broker".
"""

import ctypes
import signal
import sys

from confluent_kafka import cimpl

from icu_stream import bus, settings
from icu_stream.errors import ConfigurationError


_PRODUCER = 0  # rd_kafka_type_t: a mock cluster belongs to a client, and any will do
_NODES = 1
# A group of one member need not wait for others; librdkafka has 3000 ms.
_REBALANCE_DELAY_MS = 100


def start(topics: dict[str, int]) -> str:
    """Start the broker in this process and make its topics.

    Other topics are made with 4 partitions by whoever asks for them.

    Args:
        topics: Full name to number of partitions.

    Returns:
        `host:port`, on loopback.

    Raises:
        ConfigurationError: The installed confluent-kafka has no mock cluster, or a
            topic cannot be made.
    """
    lib = _library()
    reason = ctypes.create_string_buffer(256)
    options = lib.rd_kafka_conf_new()
    # It would warn that the client itself has no brokers, which it does not need.
    lib.rd_kafka_conf_set(options, b"log_level", b"3", None, 0)
    client = lib.rd_kafka_new(_PRODUCER, options, reason, len(reason))
    if not client:
        msg = f"embedded broker: {reason.value.decode()}"
        raise ConfigurationError(msg)
    cluster = lib.rd_kafka_mock_cluster_new(client, _NODES)
    lib.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, _REBALANCE_DELAY_MS)
    for name, partitions in topics.items():
        code = lib.rd_kafka_mock_topic_create(
            cluster, name.encode(), partitions, _NODES
        )
        if code:
            msg = f"embedded broker: topic {name} with {partitions} partitions: {code}"
            raise ConfigurationError(msg)
    address: bytes = lib.rd_kafka_mock_cluster_bootstraps(cluster)
    return address.decode()


def _library() -> ctypes.CDLL:
    # confluent-kafka offers the mock cluster without its topics. The library it was
    # linked with is in this process already; its symbols are found through the module.
    pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    signatures = {
        "rd_kafka_conf_new": ([], pointer),
        "rd_kafka_conf_set": (
            [pointer, text, text, text, ctypes.c_size_t],
            number,
        ),
        "rd_kafka_new": ([number, pointer, text, ctypes.c_size_t], pointer),
        "rd_kafka_mock_cluster_new": ([pointer, number], pointer),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": ([pointer, number], None),
        "rd_kafka_mock_topic_create": ([pointer, text, number, number], number),
        "rd_kafka_mock_cluster_bootstraps": ([pointer], text),
    }
    lib = ctypes.CDLL(cimpl.__file__)
    try:
        for name, (arguments, result) in signatures.items():
            function = getattr(lib, name)
            function.argtypes, function.restype = arguments, result
    except AttributeError as error:
        msg = f"this confluent-kafka has no embedded broker ({error}); run Apache Kafka"
        raise ConfigurationError(msg) from error
    return lib


def main() -> None:
    """Run the broker with the topics of the settings, until SIGTERM or SIGINT."""
    rows = bus.wanted(settings.load())
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    address = start({name: row.num_partitions for name, row in rows.items()})
    sys.stdout.write(address + "\n")
    sys.stdout.flush()
    signal.sigwait(ends)


if __name__ == "__main__":
    main()
