"""Which pages there are, and what one visit costs: looked up in the application itself, so that a new page is measured, too."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import Engine, event

from bench.pages.people import ADMIN, PASSWORD, Person
from portal.models import Role

VISITS = 5
"""How often a page is opened for its time; the shortest counts."""
QUERY = {"search.search": ("q",)}
"""What a page is asked for behind its `?`."""
AGENT = "bench"
NO_PAGES = frozenset({"static"})


@dataclass(frozen=True)
class Page:
    """One page as one person opens it."""

    endpoint: str
    path: str
    person: str


@dataclass(frozen=True)
class Visit:
    """What a visit cost."""

    statements: tuple[str, ...]
    seconds: float
    """Of the application in this process, the database included; the shortest of VISITS. Nothing was kept of the page."""


class Visitor:
    """A signed-in browser without a browser."""

    def __init__(self, app: Flask, origin: str, person: Person) -> None:
        self.store = app.extensions["portal"].store
        self.client: FlaskClient = app.test_client()
        # A session belongs to the browser that signed in.
        self.client.environ_base["HTTP_USER_AGENT"] = AGENT
        self.origin = origin
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self._text("/account/sign-in"))
        if found is None:
            raise RuntimeError("there is no sign-in form")
        form = {"csrf_token": found[1], "email": person.email, "password": PASSWORD}
        if self.client.post("/account/sign-in", data=form, base_url=origin).status_code != 302:
            raise RuntimeError(f"{person.email} could not sign in")
        self._text("/")  # what was flashed is shown once

    def _text(self, path: str) -> str:
        return self.client.get(path, base_url=self.origin).text

    def cookie(self, name: str) -> str:
        """The cookie of that name as a browser sends it. Raises RuntimeError when there is none."""
        kept = self.client.get_cookie(name)
        if kept is None:
            raise RuntimeError(f"there is no cookie {name}")
        return f"{name}={kept.value}"

    def is_page(self, path: str) -> bool:
        """Whether there is a page. Raises RuntimeError when it answers with an error."""
        answer = self.client.get(path, base_url=self.origin)
        if answer.status_code >= 400:
            raise RuntimeError(f"{path} answered {answer.status_code}: {_words(answer.text)[:300]}")
        return answer.status_code == 200 and answer.mimetype == "text/html"

    def visit(self, engine: Engine, path: str) -> Visit:
        """Open a page several times, each time as if for the first; the statements are those of the last time."""
        best = float("inf")
        for _ in range(VISITS):
            self.store.clear()
            with counted(engine) as statements:
                begun = time.perf_counter()
                answer = self.client.get(path, base_url=self.origin)
                best = min(best, time.perf_counter() - begun)
            if answer.status_code != 200:
                raise RuntimeError(f"{path} answered {answer.status_code}: {_words(answer.text)[:300]}")
        return Visit(tuple(statements), best)


def pages(app: Flask, persons: Sequence[Person], visitors: Mapping[str, Visitor]) -> list[Page]:
    """Every page that somebody who is signed in can open: what is for learners as each of the learners, what is for
    others as the administrator. Raises RuntimeError when an address needs a thing that nobody has.
    """
    found: list[Page] = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.endpoint):
        view = app.view_functions[rule.endpoint]
        public = getattr(view, "is_public", False) and rule.endpoint != "home.index"
        if rule.endpoint in NO_PAGES or public or "GET" not in (rule.methods or ()):
            continue
        learners = getattr(view, "required_role", Role.LEARNER) == Role.LEARNER
        for person in persons:
            if (person.name == ADMIN) == learners:
                continue
            path = _address(app, rule.endpoint, sorted(rule.arguments), person)
            if visitors[person.name].is_page(path):
                found.append(Page(rule.endpoint, path, person.name))
    return found


def _address(app: Flask, endpoint: str, arguments: Sequence[str], person: Person) -> str:
    things = {
        **person.things[""],
        **person.things.get(endpoint.partition(".")[0], {}),
        **person.things.get(endpoint, {}),
    }
    names = [*arguments, *QUERY.get(endpoint, ())]
    missing = sorted(set(names) - set(things))
    if missing:
        raise RuntimeError(f"{endpoint} needs {', '.join(missing)}: let bench/pages/people.py make one")
    with app.test_request_context():
        return url_for(endpoint, **{name: things[name] for name in names})  # type: ignore[arg-type]


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    seen: list[str] = []

    def keep(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", keep)


def _words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())
