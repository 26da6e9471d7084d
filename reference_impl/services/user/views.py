"""What comes in and goes out over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from reference_impl.services.user.api_keys import Scope
from reference_impl.shared.auth import Role
from reference_impl.shared.types import NOT_NUL, Command, View

Email = Annotated[
    str,
    Field(
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}$",
        description="An email address.",
    ),
    AfterValidator(str.lower),
]
NewPassword = Annotated[SecretStr, Field(min_length=10, max_length=128, description="10 to 128 characters.")]
Password = Annotated[SecretStr, Field(min_length=1, max_length=128)]
Token = Annotated[SecretStr, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=NOT_NUL)]
Plan = Literal["free", "standard", "partner"]


class Registration(Command):
    """A new account."""

    email: Email
    name: Name
    password: NewPassword


class PasswordGrant(Command):
    """Sign in with a password: begins a session."""

    grant_type: Literal["password"]
    email: Email
    password: Password


class RefreshGrant(Command):
    """Go on with a session. The token works once; the answer has its successor."""

    grant_type: Literal["refresh_token"]
    refresh_token: Token


class ApiKeyGrant(Command):
    """Exchange an API key for an access token; the gateway does this for its callers."""

    grant_type: Literal["api_key"]
    api_key: Token


Grant = Annotated[PasswordGrant | RefreshGrant | ApiKeyGrant, Field(discriminator="grant_type")]


class TokenView(View):
    """An access token, and what belongs to it."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a scheme
    expires_in: Annotated[int, Field(description="Seconds until the access token expires.")]
    refresh_token: Annotated[str | None, Field(description="Null for an API key.")] = None
    key_id: Annotated[str | None, Field(description="Of an API key: which one.")] = None
    plan: Annotated[str | None, Field(description="Of an API key: its usage plan.")] = None


class SignOut(Command):
    """The session that ends."""

    refresh_token: Token


class ResetRequest(Command):
    """Whose password is forgotten."""

    email: Email


class ResetConfirmation(Command):
    """A new password, and the token that came by mail."""

    token: Token
    password: NewPassword


class Accepted(View):
    """What is said whatever happened."""

    detail: str


class UserView(View):
    """An account as its owner and administrators see it."""

    id: str
    email: str
    name: str
    roles: list[str]
    created_at: datetime


class UserPage(View):
    """Some accounts, and where to go on."""

    users: list[UserView]
    next: int | None


class Roles(Command):
    """Exactly these roles; none locks somebody out of all that takes one."""

    roles: Annotated[list[Role], Field(max_length=3)]


class SessionView(View):
    """A sign-in that goes on."""

    id: str
    device: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


class NewApiKey(Command):
    """A key to be made."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    expires_at: Annotated[
        datetime | None, Field(description="With a time zone; null: it lasts until revoked.")
    ] = None


class ApiKeyView(View):
    """A key without its secret."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    plan: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None


class NewApiKeyView(ApiKeyView):
    """A key with its secret, which is shown this once."""

    key: str


class PlanChange(Command):
    """The usage plan that a key has from now on; the gateway says what it allows."""

    plan: Plan
