"""Accounts, roles and API keys over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

from reference_impl.services.user.accounts import Accounts
from reference_impl.services.user.api_keys import ApiKeys
from reference_impl.services.user.auth_routes import person
from reference_impl.services.user.models import ApiKey, User
from reference_impl.services.user.views import (
    ApiKeyView,
    NewApiKey,
    NewApiKeyView,
    PlanChange,
    Registration,
    Roles,
    UserPage,
    UserView,
)
from reference_impl.shared.auth import Caller, Role, forbidden, needs
from reference_impl.shared.problems import Problem, responses
from reference_impl.shared.types import NOT_NUL, After, IdentifierPath, PageSize

ADMIN = [Depends(needs(Role.ADMIN))]


def users(accounts: Accounts) -> APIRouter:
    """The routes below `/users`."""
    routes = APIRouter(prefix="/users", tags=["users"])
    database = accounts.database

    @routes.post("", status_code=201, summary="Register", responses=responses(409, 413, 422, 503))
    def register(body: Registration) -> UserView:
        password = body.password.get_secret_value()
        return UserView.model_validate(accounts.register(email=body.email, name=body.name, password=password))

    @routes.get("", summary="List accounts", responses=responses(401, 403, 422), dependencies=ADMIN)
    def list_users(
        after: After = 0,
        limit: PageSize = 50,
        email: Annotated[
            str | None, Query(max_length=254, pattern=NOT_NUL, description="Only the account of this address.")
        ] = None,
    ) -> UserPage:
        query = select(User).where(User.number > after).order_by(User.number).limit(limit)
        if email is not None:
            query = query.where(User.email == email.lower())
        with database.read() as session:
            found = session.scalars(query).all()
        more = found[-1].number if len(found) == limit else None
        return UserPage(users=[UserView.model_validate(user) for user in found], next=more)

    @routes.get("/me", summary="My account", responses=responses(401, 403))
    def read_me(who: Caller) -> UserView:
        with database.read() as session:
            return UserView.model_validate(accounts.get(session, person(who)))

    @routes.get("/{id}", summary="One account", responses=responses(401, 403, 404))
    def read_user(id: IdentifierPath, who: Caller) -> UserView:
        if not who.owns(id):
            raise forbidden(Role.ADMIN)
        with database.read() as session:
            return UserView.model_validate(accounts.get(session, id))

    @routes.put(
        "/{id}/roles",
        summary="Say which roles somebody has",
        responses=responses(401, 403, 404, 422),
        dependencies=ADMIN,
    )
    def set_roles(id: IdentifierPath, body: Roles) -> UserView:
        return UserView.model_validate(accounts.set_roles(id, body.roles))

    return routes


def api_keys(accounts: Accounts) -> APIRouter:
    """The routes below `/api-keys`."""
    routes = APIRouter(prefix="/api-keys", tags=["API keys"])
    database, settings, clock = accounts.database, accounts.settings, accounts.clock

    @routes.post("", status_code=201, summary="Make an API key", responses=responses(401, 403, 409, 413, 422))
    def add_key(body: NewApiKey, who: Caller) -> NewApiKeyView:
        expires = body.expires_at
        if expires is not None and (expires.tzinfo is None or expires < clock() + timedelta(minutes=1)):
            detail = "expires_at is a time in the future, with its time zone."
            raise Problem(422, "invalid-expiry", "The key would expire too early", detail)
        with database.write() as session:
            owner = accounts.get(session, person(who))
            key, text = ApiKeys(session, settings, clock).add(
                owner, name=body.name, scopes=body.scopes, plan="free", expires_at=expires
            )
            return NewApiKeyView(**ApiKeyView.model_validate(key).model_dump(), key=text)

    @routes.get("", summary="My API keys", responses=responses(401, 403))
    def list_keys(who: Caller) -> list[ApiKeyView]:
        with database.read() as session:
            found = ApiKeys(session, settings, clock).of(person(who))
        return [ApiKeyView.model_validate(key) for key in found]

    @routes.delete(
        "/{id}", status_code=204, summary="Revoke one of my API keys", responses=responses(401, 403, 404)
    )
    def revoke_key(id: IdentifierPath, who: Caller) -> None:
        with database.write() as session:
            ApiKeys(session, settings, clock).revoke(person(who), id)

    @routes.put(
        "/{id}/plan",
        summary="Give a key a usage plan",
        responses=responses(401, 403, 404, 422),
        dependencies=ADMIN,
    )
    def set_plan(id: IdentifierPath, body: PlanChange) -> ApiKeyView:
        with database.write() as session:
            key = session.get(ApiKey, id)
            if key is None:
                raise Problem(404, "unknown-api-key", "There is no such API key", f"{id} is none.")
            key.plan = body.plan
            return ApiKeyView.model_validate(key)

    return routes
