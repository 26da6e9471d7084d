"""Refresh tokens, throttling and signing keys, by a clock that the test turns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from reference_impl.services.user import throttle
from reference_impl.services.user.api import OUTBOX
from reference_impl.services.user.keys import SigningKeys
from reference_impl.services.user.models import (
    Attempts,
    Base,
    KeyState,
    RefreshToken,
    Session,
    SigningKey,
    User,
)
from reference_impl.services.user.sessions import Sessions
from reference_impl.services.user.settings import UserSettings
from reference_impl.shared.database import Database
from reference_impl.shared.faults import Faults

SETTINGS = UserSettings()


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def tick(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.in_directory(tmp_path, "user", Base.metadata)
    yield opened
    opened.close()


class Device:
    """Somebody's device, and the sessions it begins."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock
        with database.write() as connection:
            self.user = User(email="ada@example.org", name="Ada", password_hash="-", roles=["customer"])
            connection.add(self.user)

    def open(self) -> str:
        with self.database.write() as connection:
            return Sessions(connection, OUTBOX, SETTINGS, self.clock).open(self.user, "test").token

    def refresh(self, token: str) -> str | None:
        with self.database.write() as connection:
            found = Sessions(connection, OUTBOX, SETTINGS, self.clock).refresh(token)
        return found.token if found else None


@pytest.fixture
def device(database: Database, clock: Clock) -> Device:
    return Device(database, clock)


def test_a_lost_answer_is_forgiven_for_a_while(device: Device, clock: Clock) -> None:
    first = device.open()
    lost = device.refresh(first)
    clock.tick(9)
    second = device.refresh(first)
    assert second is not None
    assert second != lost
    assert device.refresh(second) is not None


def test_the_grace_ends_and_is_not_prolonged_by_use(device: Device, clock: Clock) -> None:
    first = device.open()
    device.refresh(first)
    clock.tick(6)
    second = device.refresh(first)
    assert second is not None
    clock.tick(6)
    assert device.refresh(first) is None
    assert device.refresh(second) is None, "the family is revoked"


def test_the_lost_successor_ends_the_session_when_somebody_has_it(device: Device) -> None:
    first = device.open()
    stolen = device.refresh(first)
    assert stolen is not None
    mine = device.refresh(first)
    assert mine is not None
    assert device.refresh(stolen) is None
    assert device.refresh(mine) is None


def test_the_grace_ends_when_the_successor_is_used(device: Device) -> None:
    first = device.open()
    second = device.refresh(first)
    assert second is not None
    third = device.refresh(second)
    assert third is not None
    assert device.refresh(first) is None
    assert device.refresh(third) is None


def test_a_used_token_gives_away_the_thief_also_after_its_own_time(device: Device, clock: Clock) -> None:
    stolen = device.open()
    thief = device.refresh(stolen)
    for _ in range(SETTINGS.refresh_seconds // 86_400 + 1):
        clock.tick(86_400)
        assert thief is not None
        thief = device.refresh(thief)
    assert thief is not None
    assert device.refresh(stolen) is None, "the owner is back from a holiday"
    assert device.refresh(thief) is None, "and the thief is out"


def test_a_token_left_alone_expires_and_a_session_ends_in_any_case(device: Device, clock: Clock) -> None:
    idle = device.open()
    clock.tick(SETTINGS.refresh_seconds)
    assert device.refresh(idle) is None
    token: str | None = device.open()
    steps = SETTINGS.session_seconds // (86_400 * 5)
    for _ in range(steps):
        assert token is not None
        token = device.refresh(token)
        clock.tick(86_400 * 5)
    assert token is not None
    assert device.refresh(token) is None


def test_nothing_is_stored_that_could_be_used(device: Device, database: Database) -> None:
    token = device.open()
    with database.read() as connection:
        rows = connection.query(RefreshToken).all()
    assert token not in {row.hash for row in rows}
    assert len(token) >= 43


def test_ended_sessions_are_forgotten_after_a_week(device: Device, database: Database, clock: Clock) -> None:
    token = device.open()
    with database.write() as connection:
        Sessions(connection, OUTBOX, SETTINGS, clock).end_by_token(token)
    for days, left in ((6, 1), (8, 0)):
        clock.tick(86_400 * days / 2 if left else 86_400 * 6)
        with database.write() as connection:
            Sessions(connection, OUTBOX, SETTINGS, clock).prune()
            assert connection.query(Session).count() == left
            assert connection.query(RefreshToken).count() == left


def test_waits_double_up_to_a_quarter_of_an_hour(database: Database, clock: Clock) -> None:
    allowance = [throttle.Allowance("test", "x", 3)]
    waits = []
    with database.write() as connection:
        for _ in range(16):
            assert throttle.admit(connection, allowance, clock.at) == 0
            wait = throttle.admit(connection, allowance, clock.at)
            waits.append(wait)
            clock.tick(wait)
    # Up to the third both calls count; from then on each second one is refused.
    assert waits[:1] == [0]
    assert waits[1:11] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert set(waits[11:]) == {900}


def test_what_was_tried_an_hour_ago_counts_no_more(database: Database, clock: Clock) -> None:
    allowance = [throttle.Allowance("test", "x", 2)]
    with database.write() as connection:
        assert [throttle.admit(connection, allowance, clock.at) for _ in range(3)] == [0, 0, 1]
        clock.tick(3601)
        assert [throttle.admit(connection, allowance, clock.at) for _ in range(3)] == [0, 0, 1]
        throttle.forgive(connection, allowance)
        assert connection.query(Attempts).count() == 0


def states(database: Database) -> dict[KeyState, int]:
    with database.read() as connection:
        found = [key.state for key in connection.query(SigningKey).all()]
    return {state: found.count(state) for state in KeyState}


def test_keys_rotate_by_age_and_old_ones_go_when_nothing_needs_them(database: Database, clock: Clock) -> None:
    keys = SigningKeys(database, SETTINGS, Faults(), clock)
    first = keys.signer()
    assert states(database) == {KeyState.NEXT: 1, KeyState.ACTIVE: 1, KeyState.PREVIOUS: 0}
    assert not keys.rotate_when_due()
    clock.tick(SETTINGS.rotation_seconds)
    assert keys.rotate_when_due()
    assert keys.signer().id != first.id
    assert states(database)[KeyState.PREVIOUS] == 1
    clock.tick(SETTINGS.access_seconds)
    keys.rotate_when_due()
    assert first.id in {key["kid"] for key in keys.jwks()["keys"]}, "a token signed last is valid until now"
    clock.tick(61)
    keys.rotate_when_due()
    assert states(database) == {KeyState.NEXT: 1, KeyState.ACTIVE: 1, KeyState.PREVIOUS: 0}


def test_processes_agree_on_the_active_key(database: Database, clock: Clock) -> None:
    here, there = (SigningKeys(database, SETTINGS, Faults(), clock) for _ in range(2))
    assert here.signer().id == there.signer().id
    here.rotate()
    clock.tick(30)
    assert there.signer().id == here.signer().id


def test_private_keys_can_be_kept_encrypted(database: Database, clock: Clock) -> None:
    settings = UserSettings(signing_key_password="a password")
    signer = SigningKeys(database, settings, Faults(), clock).signer()
    assert isinstance(signer.private, ec.EllipticCurvePrivateKey)
    with database.read() as connection:
        assert all("ENCRYPTED" in key.private_pem for key in connection.query(SigningKey).all())
    with pytest.raises((ValueError, TypeError)):
        SigningKeys(database, SETTINGS, Faults(), clock).signer()
