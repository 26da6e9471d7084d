"""librdkafka's mock cluster, by the library that the package confluent-kafka brings."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Mapping

import confluent_kafka.cimpl

from sandboxes.services.kafka.clients import ClusterFailed, TopicExists

PRODUCER = 0
TOPIC_ALREADY_EXISTS = 36
REBALANCE_DELAY_MS = 100
"""The mock waits three seconds for further members of a new group; learners would wait with it."""
FACTS: Mapping[str, str] = {
    "engine": "mock",
    "transactions": "accepted, not isolated",
    "transactional_offsets": "accepted, not stored",
    "fencing": "none",
    "idempotence": "accepted, a retry is stored twice",
    "retention": "the last 5 MB of each partition",
    "rebalance": "takes the session timeout less one second",
    "groups": "rebalance and commit, can't be listed or described",
    "topics": "made by the door, or by use with 4 partitions; can't be deleted",
}


def _library() -> ctypes.CDLL:
    """librdkafka as the client has it loaded: a handle on the client finds what it is linked with. Raises ClusterFailed."""
    library = ctypes.CDLL(confluent_kafka.cimpl.__file__)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        try:
            function = getattr(library, name)
        except AttributeError as error:
            raise ClusterFailed(f"The installed confluent-kafka has no mock cluster: {error}") from error
        function.restype, function.argtypes = result, arguments
    return library


class MockCluster:
    """Brokers on ports of the loopback that librdkafka chose; alive until `close`."""

    def __init__(self, brokers: int) -> None:
        """Raises ClusterFailed."""
        self.brokers = brokers
        self.facts = {**FACTS, "brokers": str(brokers)}
        self._library = _library()
        said = ctypes.create_string_buffer(512)
        conf = self._library.rd_kafka_conf_new()
        # Errors only: it would warn that its own client has no servers to connect to.
        self._library.rd_kafka_conf_set(conf, b"log_level", b"3", said, len(said))
        self._handle = self._library.rd_kafka_new(PRODUCER, conf, said, len(said))
        if not self._handle:
            raise ClusterFailed(f"librdkafka did not start: {said.value.decode('utf-8', 'replace')}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._handle, brokers)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._handle)
            raise ClusterFailed(
                f"librdkafka's mock cluster did not start ({errno.errorcode.get(ctypes.get_errno(), '?')})."
            )
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, REBALANCE_DELAY_MS)
        self.bootstrap: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    @property
    def first_port(self) -> int:
        """The port of one broker, which tells clients of all others."""
        return int(self.bootstrap.split(",")[0].rpartition(":")[2])

    def create_topic(self, name: str, partitions: int, replication: int) -> None:
        """Raises TopicExists, ClusterFailed."""
        copies = min(replication, self.brokers)
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, copies)
        if code == TOPIC_ALREADY_EXISTS:
            raise TopicExists(f"There is a topic {name} already.")
        if code:
            raise ClusterFailed(f"The mock cluster refused the topic {name} (error {code}).")

    def close(self) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)
