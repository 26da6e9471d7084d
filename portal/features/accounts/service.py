"""What can be done with accounts."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.days import is_zone
from portal.errors import Conflict, Invalid
from portal.models import Role, SignInLink, User, utcnow


def _unknown_hash(hasher: PasswordHasher) -> str:
    """A hash of the hasher's kind that no password is known for, made without the time that hashing takes."""
    parts = (secrets.token_bytes(hasher.salt_len), secrets.token_bytes(hasher.hash_len))
    salt, digest = (base64.b64encode(part).decode().rstrip("=") for part in parts)
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${digest}"


# OWASP's second recommended set for Argon2id: 19 MiB, two passes, one lane; about 20 ms on one core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODYS_HASH = _unknown_hash(_HASHER)
_BY_ID = select(User).where(User.id == bindparam("id"))
"""Asked with each request, so it is built once."""

PASSWORD_MIN = 10
PASSWORD_MAX = 128
LINK_LIFETIME = timedelta(hours=24)
OWNER_EMAIL = "owner@proving-ground.example"


def normalise_email(raw: str) -> str:
    """The address as it is stored. Raises Invalid when it is none. No DNS is asked."""
    try:
        checked = validate_email(raw.strip()[:254], check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise Invalid(f"This is not an e-mail address: {error}") from None
    return checked.normalized.lower()


def check_password_rules(password: str, email: str) -> None:
    """Raise Invalid when a password is too short, too long, or just the address."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise Invalid(f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters.")
    if password.lower() in {email, email.partition("@")[0]} or len(set(password)) < 4:
        raise Invalid("This password is too easy to guess. A few unrelated words make a good one.")


class AccountService:
    """Accounts of one database session."""

    def __init__(self, db: Session) -> None:
        self.db = db

    def create(self, *, email: str, display_name: str, password: str | None, role: Role = Role.LEARNER) -> User:
        """Make an account. Raises Invalid for bad values, Conflict when the address has an account."""
        email = normalise_email(email)
        name = " ".join(display_name.split())
        if not 1 <= len(name) <= 80:
            raise Invalid("A name has 1 to 80 characters.")
        if password is not None:
            check_password_rules(password, email)
        user = User(
            email=email,
            display_name=name,
            role=role,
            active=True,
            session_epoch=0,
            password_hash=_HASHER.hash(password) if password is not None else None,
        )
        try:
            with self.db.begin_nested():
                self.db.add(user)
        except IntegrityError:
            raise Conflict("There is an account with this e-mail address already. Sign in instead.") from None
        return user

    def authenticate(self, *, email: str, password: str) -> User | None:
        """The account when address and password fit, else None; it takes as long either way."""
        user = self.db.scalar(select(User).where(User.email == email.strip().lower()[:254]))
        stored = user.password_hash if user is not None and user.password_hash else _NOBODYS_HASH
        try:
            _HASHER.verify(stored, password[:PASSWORD_MAX])
        except (VerificationError, InvalidHashError):
            return None
        if user is None or user.password_hash is None or not user.active:
            return None
        if _HASHER.check_needs_rehash(stored):
            user.password_hash = _HASHER.hash(password)
        return user

    def by_session_id(self, session_id: str) -> User | None:
        """The active account of a session cookie's identity, unless it was signed out everywhere since."""
        number, _, epoch = session_id.partition(".")
        if not (number.isdigit() and epoch.isdigit() and len(number) < 18):
            return None
        user = self.db.scalar(_BY_ID, {"id": int(number)})
        return user if user is not None and user.active and user.session_epoch == int(epoch) else None

    def owner(self) -> User:
        """The first admin; made when there is none."""
        admin = self.db.scalar(
            select(User).where(User.role == Role.ADMIN, User.active).order_by(User.id).limit(1)
        )
        return admin or self.create(email=OWNER_EMAIL, display_name="Owner", password=None, role=Role.ADMIN)

    def make_sign_in_link(self, user: User) -> str:
        """The secret of a new one-time link; older unused ones of this person stop working."""
        self.db.flush()
        self.db.execute(
            update(SignInLink)
            .where(SignInLink.user_id == user.id, SignInLink.used_at.is_(None))
            .values(used_at=utcnow())
        )
        token = secrets.token_urlsafe(32)
        self.db.add(
            SignInLink(user_id=user.id, token_sha256=_digest(token), expires_at=utcnow() + LINK_LIFETIME)
        )
        return token

    def use_sign_in_link(self, token: str) -> User | None:
        """The person whom an unused, unexpired link signs in; None for any other. It works once, also under a race."""
        claimed = self.db.execute(
            update(SignInLink)
            .where(
                SignInLink.token_sha256 == _digest(token),
                SignInLink.used_at.is_(None),
                SignInLink.expires_at > utcnow(),
            )
            .values(used_at=utcnow())
            .returning(SignInLink.user_id)
        ).scalar()
        user = self.db.get(User, claimed) if claimed is not None else None
        return user if user is not None and user.active else None

    def change_profile(self, user: User, *, display_name: str, email: str) -> None:
        """Change name and address. Raises Invalid, Conflict."""
        email = normalise_email(email)
        taken = self.db.scalar(select(User.id).where(User.email == email, User.id != user.id))
        if taken is not None:
            raise Conflict("Another account has this e-mail address.")
        user.display_name = " ".join(display_name.split())[:80] or user.display_name
        user.email = email

    def change_zone(self, user: User, name: str) -> None:
        """Reckon this person's days in another time zone from now on. Raises Invalid for what the IANA database doesn't name."""
        if not is_zone(name):
            raise Invalid("There is no such time zone. Choose one from the list.")
        user.time_zone = name

    def change_password(self, user: User, *, current: str, new: str) -> None:
        """Set a new password and sign out everywhere else. Raises Invalid."""
        if user.password_hash is not None:
            try:
                _HASHER.verify(user.password_hash, current[:PASSWORD_MAX])
            except (VerificationError, InvalidHashError):
                raise Invalid("The current password is not right.") from None
        check_password_rules(new, user.email)
        user.password_hash = _HASHER.hash(new)
        user.session_epoch += 1


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
