"""What the engine says of a container, and what is made of it when it says nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
import requests

from sandboxes.drivers.docker_engine import Engine


class Answering(Engine):
    """An engine whose answer is given."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self._answer = answer

    @property
    def client(self) -> Any:
        def inspect_container(_name: str) -> Any:
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

        return SimpleNamespace(inspect_container=inspect_container)


@pytest.mark.parametrize(
    ("answer", "runs"),
    [
        ({"State": {"Running": True}}, True),
        ({"State": {"Running": False}}, False),
        (docker.errors.NotFound("no such container"), False),
        (requests.ConnectionError("no engine"), False),
        # Busy, and no word on the container: a learner's session must not be given up for that.
        (requests.ReadTimeout("no answer in time"), True),
    ],
)
def test_a_container_runs_unless_the_engine_says_otherwise_or_is_gone(answer: Any, runs: bool) -> None:
    assert bool(Answering(answer).state("some-id").get("Running")) is runs
