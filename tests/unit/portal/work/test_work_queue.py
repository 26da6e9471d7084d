"""The queue between the processes: nothing is taken twice or left, and idle threads don't all look."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from huey.storage import SqliteStorage

from portal.jobs import make_huey
from portal.work_queue import LOOK_SECONDS, WorkQueue

WAIT_SECONDS = 60


@pytest.fixture
def queue(tmp_path: Path) -> WorkQueue:
    return make_huey(tmp_path)


def test_each_message_is_taken_once(queue: WorkQueue, tmp_path: Path) -> None:
    taken: list[bytes] = []
    stop = threading.Event()

    def take() -> None:
        while not stop.is_set():
            data = queue.storage.dequeue()
            if data is not None:
                taken.append(bytes(data))
                if len(taken) == 200:
                    stop.set()

    threads = [threading.Thread(target=take, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    elsewhere = make_huey(tmp_path)  # as in the web process
    for number in range(200):
        elsewhere.storage.enqueue(b"%d" % number)
    assert stop.wait(WAIT_SECONDS)
    for thread in threads:
        thread.join(WAIT_SECONDS)
    assert sorted(taken, key=int) == [b"%d" % number for number in range(200)]
    assert queue.storage.queue_size() == 0


def test_one_thread_looks_and_the_others_sleep(queue: WorkQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = SqliteStorage.dequeue

    def noted(storage: SqliteStorage) -> bytes | None:
        looks.append(threading.get_ident())
        return look(storage)

    def turns() -> None:
        for _ in range(3):
            assert queue.storage.dequeue() is None

    monkeypatch.setattr(SqliteStorage, "dequeue", noted)
    threads = [threading.Thread(target=turns, daemon=True) for _ in range(4)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    passed = time.monotonic() - began
    assert not any(thread.is_alive() for thread in threads)
    # A pause follows each look. Were they all looking, there would be four times as many.
    assert 0 < len(looks) <= passed / LOOK_SECONDS
