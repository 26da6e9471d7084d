"""Sign-in, tokens, sessions and password resets over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Response

from reference_impl.services.user.accounts import Accounts
from reference_impl.services.user.api_keys import ApiKeys
from reference_impl.services.user.keys import SigningKeys
from reference_impl.services.user.sessions import Refreshed, Sessions
from reference_impl.services.user.tokens import AccessTokens
from reference_impl.services.user.views import (
    Accepted,
    Grant,
    PasswordGrant,
    RefreshGrant,
    ResetConfirmation,
    ResetRequest,
    SessionView,
    SignOut,
    TokenView,
)
from reference_impl.shared.auth import Caller, Kind, Principal, Role, forbidden, needs
from reference_impl.shared.problems import Problem, responses
from reference_impl.shared.types import IdentifierPath

Forwarded = Annotated[str, Header(alias="X-Forwarded-For", max_length=500, description="Set by the gateway.")]
UserAgent = Annotated[str, Header(max_length=1000, description="Shown to the user in the list of sessions.")]


def person(who: Principal) -> str:
    """The id of the user who calls in person. Raises Problem 403 for keys and services, which have no account of their own."""
    if who.kind is not Kind.USER:
        problem = forbidden()
        problem.detail = "Only a user who signed in can do this, no API key and no service."
        raise problem
    return who.subject


def router(accounts: Accounts, keys: SigningKeys, tokens: AccessTokens) -> APIRouter:
    """The routes below `/auth`."""
    routes = APIRouter(prefix="/auth", tags=["auth"])
    database, settings = accounts.database, accounts.settings

    def sessions(connection: Any) -> Sessions:
        return Sessions(connection, accounts.outbox, settings, accounts.clock)

    def answer(opened: Refreshed) -> TokenView:
        access = tokens.issue(opened.user.id, opened.user.roles, session=opened.session.id)
        return TokenView(access_token=access, expires_in=tokens.seconds, refresh_token=opened.token)

    @routes.get("/jwks.json", summary="The public keys of access tokens")
    def read_jwks(response: Response) -> dict[str, list[dict[str, str]]]:
        response.headers["Cache-Control"] = f"public, max-age={settings.jwks_seconds}"
        return keys.jwks()

    @routes.post(
        "/signing-keys/rotation",
        status_code=204,
        summary="Sign access tokens with the next key from now on",
        responses=responses(401, 403),
        dependencies=[Depends(needs(Role.ADMIN))],
    )
    def rotate() -> None:
        keys.rotate()

    @routes.post(
        "/token",
        summary="Get an access token for a password, a refresh token or an API key",
        responses=responses(401, 413, 422, 429, 503),
    )
    def get_token(
        grant: Annotated[Grant, Body()],
        response: Response,
        forwarded: Forwarded = "",
        user_agent: UserAgent = "",
    ) -> TokenView:
        response.headers["Cache-Control"] = "no-store"
        if isinstance(grant, PasswordGrant):
            address = forwarded.rpartition(",")[
                2
            ].strip()  # what is left of it, the caller may have written himself
            password = grant.password.get_secret_value()
            return answer(
                accounts.sign_in(email=grant.email, password=password, address=address, device=user_agent)
            )
        if isinstance(grant, RefreshGrant):
            with database.write() as connection:
                refreshed = sessions(connection).refresh(grant.refresh_token.get_secret_value())
            if refreshed is None:
                raise _refused("The refresh token is unknown, used, expired or revoked. Sign in again.")
            return answer(refreshed)
        with database.write() as connection:
            api_keys = ApiKeys(connection, settings, accounts.clock)
            exchanged = api_keys.exchange(grant.api_key.get_secret_value())
            if exchanged is not None:
                api_keys.note_use(exchanged.key)
        if exchanged is None:
            raise _refused("The API key is unknown, expired or revoked.")
        key = exchanged.key
        access = tokens.issue(key.user_id, exchanged.roles, kind=Kind.API_KEY, scopes=key.scopes)
        return TokenView(access_token=access, expires_in=tokens.seconds, key_id=key.id, plan=key.plan)

    @routes.post(
        "/sign-out", status_code=204, summary="End the session of a refresh token", responses=responses(422)
    )
    def sign_out(body: SignOut) -> None:
        with database.write() as connection:
            sessions(connection).end_by_token(body.refresh_token.get_secret_value())

    @routes.get("/sessions", summary="My sessions", responses=responses(401, 403))
    def list_sessions(who: Caller) -> list[SessionView]:
        with database.read() as connection:
            return [SessionView.model_validate(session) for session in sessions(connection).of(person(who))]

    @routes.delete("/sessions", status_code=204, summary="End all my sessions", responses=responses(401, 403))
    def end_all_sessions(who: Caller) -> None:
        with database.write() as connection:
            sessions(connection).end(person(who))

    @routes.delete(
        "/sessions/{id}", status_code=204, summary="End one of my sessions", responses=responses(401, 403, 404)
    )
    def end_session(id: IdentifierPath, who: Caller) -> None:
        with database.write() as connection:
            ended = sessions(connection).end(person(who), id)
        if not ended:
            raise Problem(404, "unknown-session", "There is no such session", "It is not yours or has ended.")

    @routes.post(
        "/password-resets",
        status_code=202,
        summary="Ask for a new password",
        responses=responses(413, 422, 503),
    )
    def request_reset(body: ResetRequest) -> Accepted:
        accounts.request_reset(body.email)
        return Accepted(detail="If the address has an account, a message is on its way to it.")

    @routes.post(
        "/password-resets/confirm",
        status_code=204,
        summary="Set a new password with the token from the message",
        responses=responses(413, 422, 503),
    )
    def confirm_reset(body: ResetConfirmation) -> None:
        accounts.reset(token=body.token.get_secret_value(), password=body.password.get_secret_value())

    return routes


def _refused(detail: str) -> Problem:
    return Problem(401, "grant-refused", "No token for this", detail).with_headers(
        {"WWW-Authenticate": "Bearer"}
    )
