"""What one writer at a time hides on SQLite: two transactions that do the same at once, on PostgreSQL."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel
from sqlalchemy import MetaData

from reference_impl.shared.database import Database
from reference_impl.shared.events import Payload
from reference_impl.shared.idempotency import IdempotencyKeys
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.settings import Settings
from tests.fixtures.postgres import ScratchServer

pytestmark = pytest.mark.postgres

METADATA = MetaData()
OUTBOX = Outbox.on(METADATA, "racing")
KEYS = IdempotencyKeys.on(METADATA)
AT_ONCE = 4


class Happened(Payload):
    pass


class Answer(BaseModel):
    token: str


@pytest.fixture
def database(postgres: ScratchServer) -> Iterator[Database]:
    prefix = f"t{secrets.token_hex(4)}"
    url = f"postgresql://postgres@/?host={postgres.socket_dir}"
    made = Database.of(
        Settings(database_url=url, database_prefix=prefix, database_pool=AT_ONCE), "race", METADATA
    )
    yield made
    made.close()
    with postgres.connect("postgres") as admin:
        admin.execute(f'DROP DATABASE "{prefix}_race" WITH (FORCE)')


def test_the_first_events_of_a_key_are_numbered_without_gaps(database: Database) -> None:
    together = threading.Barrier(AT_ONCE)

    def emit(_: int) -> None:
        with database.write() as session:
            OUTBOX.pending(session)  # every transaction has begun before the first one numbers its event
            together.wait(60)
            OUTBOX.add(session, Happened(), key="k")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(emit, range(AT_ONCE)))
    with database.read() as session:
        written = OUTBOX.oldest(session, AT_ONCE)
    assert [event.sequence for _, event in written] == list(range(1, AT_ONCE + 1))


def test_a_request_that_is_sent_twice_at_the_same_moment_takes_effect_once(database: Database) -> None:
    together = threading.Barrier(AT_ONCE)
    acted: list[str] = []

    def act() -> Answer:
        acted.append(secrets.token_hex(4))
        return Answer(token=acted[-1])

    def send(_: int) -> tuple[str, bool]:
        with database.write() as session:
            OUTBOX.pending(session)
            together.wait(60)
            answer, replayed = KEYS.once(
                session, scope="POST /races", key="one", request=Answer(token=""), answer=Answer, act=act
            )
            return answer.token, replayed

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(send, range(AT_ONCE)))
    assert len(acted) == 1
    assert {token for token, _ in answers} == set(acted)
    assert sorted(replayed for _, replayed in answers) == [False, True, True, True]
