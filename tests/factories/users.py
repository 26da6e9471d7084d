"""Users."""

from __future__ import annotations

import functools
import itertools

from argon2 import PasswordHasher
from sqlalchemy.orm import Session

from portal.models import Role, User

PASSWORD = "correct horse battery"
HASHER = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
"""Cheap parameters: what is tested is our code, not Argon2's cost."""
_numbers = itertools.count(1)


@functools.cache
def _hash() -> str:
    return HASHER.hash(PASSWORD)


def user(db: Session, *, role: Role = Role.LEARNER, email: str | None = None, active: bool = True) -> User:
    """A person whose password is PASSWORD."""
    number = next(_numbers)
    made = User(
        email=email or f"person{number}@learn.example",
        display_name=f"Person {number}",
        password_hash=_hash(),
        role=role,
        active=active,
        session_epoch=0,
    )
    db.add(made)
    db.flush()
    return made
