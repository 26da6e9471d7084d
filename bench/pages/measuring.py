"""The benchmark `pages`: the statements and the throughput of every page, on each database, empty and full."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from bench.pages import floor
from bench.pages.keeping import keep_people, kept_folder, kept_people
from bench.pages.people import HEAVY, TYPICAL, Person, people
from bench.pages.scratch import scratch_postgres
from bench.pages.seeding import Size, seed
from bench.pages.serving import Rate, Target, rate, served, until_answers
from bench.pages.visiting import VISITS, Page, Visit, Visitor, pages
from bench.ports import free_ports
from bench.result import emit, note, percentile
from portal.app import create_app
from portal.content import Content, load_content
from portal.database import Database
from portal.settings import Settings

DATABASES = ("sqlite", "postgres")
STATEMENTS_MOST = 12
RATIO_LEAST = 0.6
ROUND_SECONDS = 0.4
WARM_SECONDS = 0.2


@dataclass(frozen=True)
class Stage:
    """A portal in this process, on a database that is being filled."""

    name: str
    """Of the database."""
    settings: Settings
    database: Database
    app: Flask
    persons: Sequence[Person]
    visitors: Mapping[str, Visitor]
    pages: Sequence[Page]
    filled: bool
    """Whether the database is one that an earlier run filled."""

    def visits(self) -> dict[Page, Visit]:
        """What a visit of every page costs now."""
        engine = self.app.extensions["portal"].database.engine
        return {page: self.visitors[page.person].visit(engine, page.path) for page in self.pages}


def run(
    rounds: int,
    size: Size | None = None,
    databases: Sequence[str] = DATABASES,
    *,
    only: str = "",
    kept: Path | None = None,
) -> None:
    """Measure and print. `only`: just pages with these words in their case. `kept`: a folder for filled databases; with
    one that an earlier run left there only throughput is measured. Raises RuntimeError when it can't be measured.
    """
    size = size or Size()
    note("loading the content …")
    content = load_content()
    for name in databases:
        with _home(name, size, kept) as home, stage(name, content, home, only=only) as found:
            if not found.filled:
                statements(found, content, size)
                if kept is not None:
                    keep_people(home, found.persons)
            throughput(found, rounds)
            first_views(found)
            note(f"{name}: {len(found.pages)} pages measured")


@contextmanager
def _home(name: str, size: Size, kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept_folder(kept, f"{name}-{size.learners}-{size.attempts}")
    else:
        # Directly in /tmp: the path of a Unix socket may have about a hundred characters.
        with tempfile.TemporaryDirectory(prefix="bench-pages-", dir="/tmp") as folder:
            yield Path(folder)


@contextmanager
def stage(name: str, content: Content, home: Path, *, only: str = "") -> Iterator[Stage]:
    """A portal with its database in the folder `home`, a new one unless an earlier run kept it there, and with the
    accounts that look at it.
    """
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as folder, _database_url(name, home) as url:
        settings = Settings(
            port=free_ports(3), instance_dir=Path(folder) / "instance", run_dir=Path(folder) / "run", database_url=url,
            rate_limits=False,
        ).validated()  # fmt: skip
        database = Database(settings.database_url_effective)
        app: Flask | None = None
        try:
            database.migrate()
            persons = kept_people(home)
            filled = bool(persons)
            if not filled:
                with database.transaction() as db:
                    persons = people(db, content)
            app = create_app(settings, content=content)
            origin = settings.portal_origin_effective
            visitors = {person.name: Visitor(app, origin, person) for person in persons}
            found = [page for page in pages(app, persons, visitors) if only in f"{page.person} {page.endpoint}"]
            yield Stage(name, settings, database, app, persons, visitors, found, filled)
        finally:
            if app is not None:
                app.extensions["portal"].database.close()
            database.close()


@contextmanager
def _database_url(name: str, home: Path) -> Iterator[str]:
    if name == "sqlite":
        yield f"sqlite:///{home / 'portal.db'}"
    else:
        with scratch_postgres(home / "postgres") as url:
            yield url


def statements(stage: Stage, content: Content, size: Size) -> dict[Page, Visit]:
    """Visit every page, fill the database, visit every page again; print the statements."""
    note(f"{stage.name}: visiting {len(stage.pages)} pages of an empty portal …")
    empty = stage.visits()
    ids = {person.name: person.user_id for person in stage.persons}
    seeded = seed(stage.database, content, size, typical=ids[TYPICAL], heavy=ids[HEAVY])
    note(f"{stage.name}: {seeded.learners:,} learners, {seeded.attempts:,} attempts in {seeded.seconds:.0f} s")
    full = stage.visits()
    for page, visit in full.items():
        print_statements(stage.name, page, empty[page], visit)
    return full


def print_statements(database: str, page: Page, empty: Visit, full: Visit) -> None:
    """One line: the statements of the full database beside those of the empty one."""
    ours, before = len(full.statements), len(empty.statements)
    kept = ours <= STATEMENTS_MOST and ours == before
    emit(
        bench="pages", case=f"{database} {page.person} {page.endpoint}", unit="statements", ours=ours, floor=before,
        ratio=round(ours / before, 3) if before else None, budget=STATEMENTS_MOST, kept=kept,
        full_ms=round(1000 * full.seconds, 2), empty_ms=round(1000 * empty.seconds, 2),
    )  # fmt: skip
    if not kept:
        listed = "\n".join(f"  {' '.join(one.split())[:200]}" for one in full.statements)
        note(
            f"{page.path} takes {ours} statements, {before} when the database is empty; "
            f"{STATEMENTS_MOST} are allowed, and as many as when it is empty:\n{listed}"
        )


def throughput(stage: Stage, rounds: int) -> None:
    """Serve the portal and the floor alike, and ask them in turns; print requests a second."""
    settings = stage.settings
    log = settings.instance_dir / "bench.log"
    key = settings.load_secret_key()
    first = settings.port + 2  # the port after the portal's own is its gateway's
    floor_environment = {floor.URL: settings.database_url_effective, floor.KEY: key}
    threads = settings.web_threads
    with (
        served("portal.wsgi:app", settings.port, settings.to_environment(), log, threads) as ours_pid,
        served("bench.pages.floor:app()", first, floor_environment, log, threads) as floor_pid,
    ):
        cookies = {
            person.name: (
                stage.visitors[person.name].cookie(stage.app.config["SESSION_COOKIE_NAME"]),
                floor_cookie(settings.database_url_effective, key, person.user_id),
            )
            for person in stage.persons
        }
        until_answers(Target(settings.port, "/healthz", ""))
        until_answers(Target(first, "/", cookies[TYPICAL][1]))
        for page in stage.pages:
            ours_cookie, bare_cookie = cookies[page.person]
            ours = Target(settings.port, page.path, ours_cookie, pid=ours_pid)
            bare = Target(first, "/", bare_cookie, pid=floor_pid)
            print_rates(stage.name, page, *in_turns(ours, bare, rounds))


def in_turns(ours: Target, bare: Target, rounds: int) -> tuple[list[Rate], list[Rate]]:
    """Rounds of both, one after the other, so that what else the machine does hits both."""
    rate(ours, WARM_SECONDS)
    rate(bare, WARM_SECONDS)
    pairs = [(rate(ours, ROUND_SECONDS), rate(bare, ROUND_SECONDS)) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def print_rates(database: str, page: Page, ours: Sequence[Rate], bare: Sequence[Rate]) -> None:
    """One line: the medians of both, and the median of the rounds' ratios, which is to be at least RATIO_LEAST.

    What disturbs the machine for a while disturbs both halves of a round, and so its ratio least.
    """
    ours_p50, bare_p50 = (percentile([one.per_second for one in series], 0.5) for series in (ours, bare))
    ratios = [one.per_second / other.per_second for one, other in zip(ours, bare, strict=True)]
    ratio = round(percentile(ratios, 0.5), 3)
    more: dict[str, Any] = {}
    for name, series in (("cpu_ms", ours), ("floor_cpu_ms", bare)):
        seen = [one.cpu_seconds for one in series if one.cpu_seconds is not None]
        more[name] = round(1000 * percentile(seen, 0.5), 2) if seen else None
    emit(
        bench="pages", case=f"{database} {page.person} {page.endpoint}", unit="requests/s",
        ours=round(ours_p50, 1), floor=round(bare_p50, 1), ratio=ratio, budget=RATIO_LEAST,
        kept=ratio >= RATIO_LEAST, rounds=len(ours), **more,
    )  # fmt: skip


def first_views(stage: Stage) -> None:
    """Print for each page what its first view takes, of which nothing is kept, beside the floor: both in this process."""
    settings = stage.settings
    app = floor.create_floor(settings.database_url_effective, settings.load_secret_key())
    try:
        client = app.test_client()
        client.get(f"/in/{stage.persons[0].user_id}")
        client.get("/")
        for page, visit in stage.visits().items():
            bare = min(_seconds(client) for _ in range(VISITS))
            emit(
                bench="pages", case=f"{stage.name} {page.person} {page.endpoint}, first view", unit="ms",
                ours=round(1000 * visit.seconds, 2), floor=round(1000 * bare, 2),
                ratio=round(bare / visit.seconds, 3), budget=None,
            )  # fmt: skip
    finally:
        app.extensions["database"].close()


def _seconds(client: FlaskClient) -> float:
    begun = time.perf_counter()
    client.get("/")
    return time.perf_counter() - begun


def floor_cookie(url: str, key: str, user_id: int) -> str:
    """The cookie of somebody who is signed in to the floor."""
    app = floor.create_floor(url, key)
    try:
        answer = app.test_client().get(f"/in/{user_id}")
        return str(answer.headers["Set-Cookie"].partition(";")[0])
    finally:
        app.extensions["database"].close()
