"""A broker that speaks Kafka's protocol: the mock cluster inside librdkafka, in a process of its own.

It does what the platform needs of Kafka: topics with partitions, keys, consumer groups with offsets. It keeps everything
in memory: a record that nobody has consumed is lost when the broker ends. Set MERIDIAN_KAFKA_BOOTSTRAP_SERVERS to use a real
cluster, which keeps it.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from reference_impl.topologies.parts.base import Part, launch

PRODUCER = 0
BROKER = 1
"""The number of the cluster's only broker."""
REBALANCE_DELAY_MS = 200
"""The mock waits three seconds for further members of a new group; every start would wait with it."""


class Kafka(Part):
    """One broker for the events of all services."""

    name = "kafka"

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._address = self.folder / "address"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._address.unlink(missing_ok=True)
        self.process = launch([sys.executable, "-m", __name__, self._address.resolve()], self.log)

    def answers(self) -> bool:
        return self._address.exists()

    def environment(self) -> Mapping[str, str]:
        return {"MERIDIAN_BUS": "kafka", "MERIDIAN_KAFKA_BOOTSTRAP_SERVERS": self._address.read_text()}

    @property
    def detail(self) -> str:
        return f"{self._address.read_text()}, librdkafka's mock cluster: events in memory only"


def open_cluster(advertised: tuple[str, int] | None = None) -> str:
    """Start the cluster inside this process, where it lives as long as that; the address at which it listens, on the loopback.

    Clients are sent there, or to the host and port that are `advertised`. Raises SystemExit when it does not start.
    """
    import confluent_kafka.cimpl

    # librdkafka as the client has it loaded: a handle on the client finds what it is linked with.
    library = ctypes.CDLL(confluent_kafka.cimpl.__file__)
    pointer = ctypes.c_void_p
    library.rd_kafka_conf_new.restype = pointer
    library.rd_kafka_new.argtypes = [ctypes.c_int, pointer, ctypes.c_char_p, ctypes.c_size_t]
    library.rd_kafka_new.restype = pointer
    library.rd_kafka_mock_cluster_new.argtypes = [pointer, ctypes.c_int]
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [pointer, ctypes.c_int32]
    library.rd_kafka_mock_broker_set_host_port.argtypes = [
        pointer,
        ctypes.c_int32,
        ctypes.c_char_p,
        ctypes.c_int,
    ]
    library.rd_kafka_mock_broker_set_host_port.restype = None

    said = ctypes.create_string_buffer(512)
    handle = library.rd_kafka_new(PRODUCER, library.rd_kafka_conf_new(), said, len(said))
    cluster = library.rd_kafka_mock_cluster_new(handle, 1) if handle else None
    if not cluster:
        raise SystemExit(f"librdkafka's mock cluster did not start: {said.value.decode(errors='replace')}")
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, REBALANCE_DELAY_MS)
    listening = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
    if advertised is not None:
        library.rd_kafka_mock_broker_set_host_port(cluster, BROKER, advertised[0].encode(), advertised[1])
    return str(listening)


def main(address: Path) -> None:
    """Run the cluster until SIGTERM; its address is written to a file when it listens."""
    half = address.with_suffix(".half")
    half.write_text(open_cluster())
    half.rename(address)
    # The brokers are threads of the library and end with the process.
    signal.sigwait([signal.SIGTERM, signal.SIGINT])


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    main(Path(sys.argv[1]))
