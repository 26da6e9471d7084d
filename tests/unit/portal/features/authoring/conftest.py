"""A small bank with a folder of its own, and two instructors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from portal.app import create_app
from portal.content import Content, ContentSource
from portal.database import Database
from portal.features.authoring import write_out
from portal.features.authoring.reviewing import ReviewService
from portal.features.authoring.service import AuthoringService
from portal.models import Role, User
from portal.own_bank import OwnBank
from portal.settings import Settings
from tests.factories import users
from tests.fixtures import questions
from tests.fixtures.portal import Client, NotedJobs, signed_in


@pytest.fixture
def small(content: Content) -> Content:
    """The real roadmap with a bank of one question of each kind."""
    return questions.content_of(content, *map(questions.question, questions.EVERY_KIND))


@pytest.fixture
def source(settings: Settings, small: Content) -> ContentSource:
    return ContentSource.of(settings, small)


@pytest.fixture
def own(settings: Settings) -> OwnBank:
    return OwnBank(settings.bank_dir_effective)


@pytest.fixture
def texts(db: Session, source: ContentSource, own: OwnBank) -> Callable[[], AuthoringService]:
    """A service that sees the content of now, as each request does."""
    return lambda: AuthoringService(db, source.current(), source.base.bank, own)


@pytest.fixture
def reviews(db: Session, texts: Callable[[], AuthoringService]) -> Callable[[], ReviewService]:
    return lambda: ReviewService(db, texts(), review_required=True)


@pytest.fixture
def written(db: Session, database: Database, own: OwnBank) -> Callable[[], int]:
    """Ends a request that published something: commits, and writes the files."""

    def end() -> int:
        db.commit()
        return write_out(database, own)

    return end


@pytest.fixture
def ann(db: Session) -> User:
    user = users.user(db, role=Role.INSTRUCTOR)
    db.commit()
    return user


@pytest.fixture
def bob(db: Session) -> User:
    user = users.user(db, role=Role.INSTRUCTOR)
    db.commit()
    return user


@pytest.fixture
def app(settings: Settings, small: Content, jobs: NotedJobs) -> Iterator[Flask]:
    app = create_app(settings, content=small, jobs=jobs)
    app.testing = False
    yield app
    app.extensions["portal"].database.close()


@pytest.fixture
def as_ann(app: Flask, settings: Settings, ann: User) -> Client:
    return signed_in(app, settings, ann)


@pytest.fixture
def as_bob(app: Flask, settings: Settings, bob: User) -> Client:
    return signed_in(app, settings, bob)


@pytest.fixture
def bank_dir(settings: Settings) -> Path:
    return settings.bank_dir_effective
