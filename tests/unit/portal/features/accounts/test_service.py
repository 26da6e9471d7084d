"""Accounts: what can be done with them, and what can't."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters
from freezegun import freeze_time
from sqlalchemy.orm import Session

from portal.errors import Conflict, Invalid
from portal.features.accounts import AccountService
from portal.features.accounts import service as accounts
from portal.models import Role
from tests.factories import users


@pytest.fixture
def service(db: Session) -> AccountService:
    return AccountService(db)


def test_an_address_is_stored_in_one_form(service: AccountService) -> None:
    made = service.create(
        email="  Ada@Learn.Example ", display_name=" Ada  L ", password="two words, many letters"
    )
    assert made.email == "ada@learn.example"
    assert made.display_name == "Ada L"


def test_passwords_are_stored_as_argon2id(service: AccountService) -> None:
    made = service.create(email="ada@learn.example", display_name="Ada", password="two words, many letters")
    assert made.password_hash is not None
    assert made.password_hash.startswith("$argon2id$")
    assert "two words" not in made.password_hash


def test_a_password_that_was_hashed_with_other_parameters_is_hashed_anew(
    service: AccountService, db: Session
) -> None:
    user = users.user(db)
    user.password_hash = PasswordHasher(time_cost=1, memory_cost=512, parallelism=1).hash(users.PASSWORD)
    old = user.password_hash
    assert service.authenticate(email=user.email, password="another one") is None
    assert user.password_hash == old
    assert service.authenticate(email=user.email, password=users.PASSWORD) is user
    new = user.password_hash
    assert extract_parameters(new) == extract_parameters(users.HASHER.hash("x"))
    assert service.authenticate(email=user.email, password=users.PASSWORD) is user
    assert user.password_hash == new


def test_the_product_s_own_parameters_are_not_those_of_the_tests() -> None:
    # Made when the module was loaded, before a fixture gave it a cheap hasher.
    parameters = extract_parameters(accounts._NOBODYS_HASH)
    assert (parameters.time_cost, parameters.memory_cost, parameters.parallelism) == (2, 19_456, 1)


@pytest.mark.parametrize("password", ["short", "a" * 129, "aaaaaaaaaaaa", "ada@learn.example"])
def test_weak_passwords_are_refused(service: AccountService, password: str) -> None:
    with pytest.raises(Invalid, match=r"[Pp]assword"):
        service.create(email="ada@learn.example", display_name="Ada", password=password)


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@learn.example", "a b@learn.example", "x" * 300 + "@a.example"]
)
def test_what_is_no_address_is_refused(service: AccountService, email: str) -> None:
    with pytest.raises(Invalid):
        service.create(email=email, display_name="Ada", password="two words, many letters")


def test_one_address_has_one_account(service: AccountService, db: Session) -> None:
    users.user(db, email="ada@learn.example")
    with pytest.raises(Conflict):
        service.create(email="ADA@learn.example", display_name="Ada", password="two words, many letters")


def test_signing_in_needs_the_right_password(service: AccountService, db: Session) -> None:
    user = users.user(db)
    users.user(db)
    assert service.authenticate(email=user.email.upper(), password=users.PASSWORD) == user
    assert service.authenticate(email=user.email, password="something else") is None
    assert service.authenticate(email="nobody@learn.example", password=users.PASSWORD) is None


def test_an_inactive_account_can_not_sign_in(service: AccountService, db: Session) -> None:
    user = users.user(db, active=False)
    assert service.authenticate(email=user.email, password=users.PASSWORD) is None


def test_a_link_signs_in_once(service: AccountService, db: Session) -> None:
    user = users.user(db)
    token = service.make_sign_in_link(user)
    db.flush()
    assert service.use_sign_in_link(token) == user
    assert service.use_sign_in_link(token) is None
    assert service.use_sign_in_link("guess") is None


def test_a_new_link_ends_the_older_one(service: AccountService, db: Session) -> None:
    user = users.user(db)
    older = service.make_sign_in_link(user)
    newer = service.make_sign_in_link(user)
    db.flush()
    assert service.use_sign_in_link(older) is None
    assert service.use_sign_in_link(newer) == user


def test_a_link_expires(service: AccountService, db: Session) -> None:
    user = users.user(db)
    with freeze_time("2026-05-04 10:00"):
        token = service.make_sign_in_link(user)
        db.flush()
    with freeze_time("2026-05-05 10:01"):
        assert service.use_sign_in_link(token) is None


def test_the_owner_is_made_once(service: AccountService, db: Session) -> None:
    owner = service.owner()
    db.flush()
    assert owner.role == Role.ADMIN
    assert service.owner() == owner


def test_a_new_password_ends_other_sessions(service: AccountService, db: Session) -> None:
    user = users.user(db)
    identity = user.get_id()
    assert service.by_session_id(identity) == user
    with pytest.raises(Invalid, match="current"):
        service.change_password(user, current="wrong", new="a new long password")
    service.change_password(user, current=users.PASSWORD, new="a new long password")
    assert service.by_session_id(identity) is None
    assert service.by_session_id(user.get_id()) == user


@pytest.mark.parametrize("identity", ["", "x", "1", "1.x", "-1.0", "9" * 40 + ".0", "1.0.0"])
def test_a_forged_identity_is_nobody(service: AccountService, identity: str) -> None:
    assert service.by_session_id(identity) is None
