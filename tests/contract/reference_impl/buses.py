"""The three buses as tests need them: opened afresh or once more, with a broker that can go away and come back."""

from __future__ import annotations

import ctypes
import logging
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from reference_impl.shared.bus import EventBus
from reference_impl.shared.buses.in_process import InProcessBus
from tests.fixtures.ports import kept_port

GROUPS = ("one", "two")
SOURCES = ("test", "other")


class Ground(ABC):
    """Where one adapter lives during one test."""

    keeps_order_after_a_crash = True
    timeout_seconds = 30.0
    """How long a bus waits for an answer of its broker."""
    session_seconds = 30.0
    """Where a silent member of a group loses its part to the others: after how long."""
    visibility_seconds = 600
    """Where the broker takes back what is not acknowledged in time: how long it waits. See `later`."""

    def __init__(self) -> None:
        self.opened: list[EventBus] = []

    def open(self) -> EventBus:
        """The bus; again, after closing it, the same one."""
        self.opened.append(self._open())
        return self.opened[-1]

    @abstractmethod
    def _open(self) -> EventBus: ...

    def away(self) -> None:
        """The broker stops answering and keeps what it has."""
        raise AssertionError("this bus has no broker that could go away")

    def back(self) -> None:
        """It answers again."""
        raise AssertionError("it never went away")

    def later(self) -> None:
        """So much time goes by that a broker takes back what is not acknowledged; most need none for that."""
        return

    def close(self) -> None:
        for bus in self.opened:
            bus.close()


class InProcess(Ground):
    """A file, for one process."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory

    def _open(self) -> EventBus:
        return InProcessBus(self.directory)


class Kafka(Ground):
    """librdkafka's mock cluster with one broker."""

    def __init__(self) -> None:
        super().__init__()
        from sandboxes.services.kafka.mock import MockCluster

        self.cluster = MockCluster(1)

    def _open(self) -> EventBus:
        from reference_impl.shared.buses.kafka import KafkaBus

        return KafkaBus(
            self.cluster.bootstrap,
            SOURCES,
            timeout_seconds=self.timeout_seconds,
            session_seconds=self.session_seconds,
        )

    def away(self) -> None:
        self._broker("down")

    def back(self) -> None:
        self._broker("up")

    def close(self) -> None:
        super().close()
        self.cluster.close()

    def _broker(self, state: str) -> None:
        change: Any = getattr(self.cluster._library, f"rd_kafka_mock_broker_set_{state}")
        change.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        assert change(self.cluster._cluster, 1) == 0


class SnsSqs(Ground):
    """moto's server in this process; what it keeps survives its going away."""

    # When messages of one group come back together, moto hands out the last of them first. SQS does not.
    keeps_order_after_a_crash = False

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        self._monkeypatch = monkeypatch
        self._at_the_end = ExitStack()
        self.port = self._at_the_end.enter_context(kept_port())
        self.back()
        self._reset()

    def _open(self) -> EventBus:
        from reference_impl.shared.buses.sns_sqs import SnsSqsBus

        return SnsSqsBus(
            GROUPS,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region="eu-central-1",
            visibility_seconds=self.visibility_seconds,
            timeout_seconds=self.timeout_seconds,
        )

    def _reset(self) -> None:
        import httpx

        httpx.post(f"http://127.0.0.1:{self.port}/moto-api/reset", timeout=60).raise_for_status()

    def away(self) -> None:
        self.server.stop()

    def back(self) -> None:
        from moto.moto_server.threaded_moto_server import ThreadedMotoServer

        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()

    def later(self) -> None:
        from moto.sqs import models

        before, more = models.unix_time_millis, 1000 * (self.visibility_seconds + 1)
        self._monkeypatch.setattr(models, "unix_time_millis", lambda: before() + more)

    def close(self) -> None:
        super().close()
        self.server.stop()
        self._at_the_end.close()
