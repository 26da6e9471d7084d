"""The user service on PostgreSQL, where two transactions really run at once."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from reference_impl.services.user import throttle
from reference_impl.services.user.api import OUTBOX
from reference_impl.services.user.keys import SigningKeys
from reference_impl.services.user.models import Attempts, Base, SigningKey, User
from reference_impl.services.user.models import Session as UserSession
from reference_impl.services.user.sessions import Sessions
from reference_impl.services.user.settings import UserSettings
from reference_impl.shared.database import Database
from reference_impl.shared.events import now
from reference_impl.shared.faults import Faults
from reference_impl.shared.settings import Settings
from tests.fixtures.postgres import ScratchServer

pytestmark = pytest.mark.postgres
AT_ONCE = 8


@pytest.fixture
def database(postgres: ScratchServer) -> Iterator[Database]:
    prefix = f"t{secrets.token_hex(4)}"
    url = f"postgresql://postgres@/?host={postgres.socket_dir}"
    made = Database.of(Settings(database_url=url, database_prefix=prefix), "user", Base.metadata)
    yield made
    made.close()
    with postgres.connect("postgres") as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{prefix}_user" WITH (FORCE)')


def test_a_refresh_token_used_by_many_at_once_works_for_one_and_ends_the_session(database: Database) -> None:
    settings = UserSettings(refresh_grace_seconds=0)
    with database.write() as connection:
        user = User(email="ada@example.org", name="Ada", password_hash="-", roles=["customer"])
        connection.add(user)
        connection.flush()
        token = Sessions(connection, OUTBOX, settings).open(user, "test").token

    together = threading.Barrier(AT_ONCE)

    def refresh(_number: int) -> bool:
        with database.write() as connection:
            sessions = Sessions(connection, OUTBOX, settings)
            together.wait(60)  # so that all have come before the first one is served
            return sessions.refresh(token) is not None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sum(pool.map(refresh, range(AT_ONCE))) == 1
    with database.read() as connection:
        assert connection.query(UserSession).one().revoked_at is not None


def test_guesses_at_once_are_all_counted(database: Database) -> None:
    allowances = throttle.sign_in("ada@example.org", "203.0.113.1")
    start = now()

    def guess(number: int) -> bool:
        # Who comes first through the lock is not who arrived first.
        with database.write() as connection:
            return throttle.admit(connection, allowances, start - timedelta(milliseconds=number)) == 0

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sum(pool.map(guess, range(AT_ONCE))) == 5
    with database.read() as connection:
        assert {row.count for row in connection.query(Attempts)} == {5}


def test_processes_that_start_together_sign_with_one_key(database: Database) -> None:
    def start(_number: int) -> str:
        return SigningKeys(database, UserSettings(), Faults()).signer().id

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert len(set(pool.map(start, range(AT_ONCE)))) == 1
    with database.read() as connection:
        assert connection.query(SigningKey).count() == 2
