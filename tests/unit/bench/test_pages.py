"""The benchmark of pages: what it makes up is what the product would have written, and what is beyond a budget is said."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy import Engine, func, inspect, select, text

from bench.cli import main
from bench.pages import floor, measuring
from bench.pages.keeping import keep_people, kept_folder, kept_people
from bench.pages.measuring import Stage, floor_cookie, in_turns, print_rates, print_statements, stage
from bench.pages.people import ADMIN, HEAVY, TYPICAL
from bench.pages.seeding import SERIAL, Size, seed
from bench.pages.serving import Rate, Target, rate, served, until_answers
from bench.pages.visiting import Page, Visit, counted, pages
from bench.ports import free_ports
from portal import kept_pages
from portal.content import Content
from portal.database import Database
from portal.features.practice import rebuild
from portal.models import (
    ItemCount,
    ItemTally,
    PracticeAnswer,
    QuizAnswer,
    ReviewCard,
    Submission,
    User,
)

SIZE = Size(learners=12, attempts=1_500)
PAGE = Page("a.page", "/a-page", TYPICAL)


@pytest.fixture(scope="module")
def empty(
    content: Content, passwords_are_cheap: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    with stage("sqlite", content, tmp_path_factory.mktemp("empty")) as found:
        yield found


@contextmanager
def filled(name: str, content: Content) -> Iterator[Stage]:
    # Directly in /tmp: PostgreSQL's socket is there, and its path must be short.
    with TemporaryDirectory(prefix="pg-bench-", dir="/tmp") as home, stage(name, content, Path(home)) as found:
        ids = {person.name: person.user_id for person in found.persons}
        seed(found.database, content, SIZE, typical=ids[TYPICAL], heavy=ids[HEAVY])
        yield found


@pytest.fixture(scope="module")
def full(content: Content, passwords_are_cheap: None) -> Iterator[Stage]:
    with filled("sqlite", content) as found:
        yield found


def snapshot(database: Database, model: type) -> dict[object, dict[str, object]]:
    """Rows by primary key, floats rounded: they are added up in another order."""
    mapper = inspect(model)
    with database.session() as db:
        rows = [
            {column.key: getattr(row, column.key) for column in mapper.column_attrs}
            for row in db.scalars(select(model))
        ]
    keys = [column.name for column in mapper.primary_key]
    return {
        tuple(row[key] for key in keys): {
            name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()
        }
        for row in rows
    }


def test_there_are_as_many_learners_and_attempts_as_were_asked_for(full: Stage) -> None:
    with full.database.session() as db:
        assert db.scalar(select(func.count()).select_from(User)) == SIZE.learners
        answers = [
            db.scalar(select(func.count()).select_from(model).where(model.fraction.is_not(None)))
            for model in (PracticeAnswer, QuizAnswer)
        ]
        submissions = db.scalar(select(func.count()).select_from(Submission)) or 0
    assert all(answers)
    made_by_hand = len(full.persons)
    assert sum(filter(None, answers)) + submissions - made_by_hand == pytest.approx(SIZE.attempts, rel=0.1)


def test_cards_and_sums_are_what_the_product_makes_of_the_answers(full: Stage, content: Content) -> None:
    models = (ReviewCard, ItemTally, ItemCount)
    seeded = [snapshot(full.database, model) for model in models]
    with full.database.session() as db:
        rebuild(db, content.bank)
        db.commit()
    for model, before in zip(models, seeded, strict=True):
        assert before
        assert snapshot(full.database, model) == before, model.__name__


@pytest.mark.postgres
def test_postgres_gets_the_same_and_counts_on(full: Stage, content: Content) -> None:
    with filled("postgres", content) as other:
        for model in (ReviewCard, Submission, PracticeAnswer):
            assert len(snapshot(other.database, model)) == len(snapshot(full.database, model))
        assert snapshot(other.database, ItemTally) == snapshot(full.database, ItemTally)
        with other.database.session() as db:
            for table in SERIAL:
                following = db.scalar(text(f"SELECT nextval(pg_get_serial_sequence('{table}', 'id'))"))
                assert following == (db.scalar(text(f"SELECT max(id) FROM {table}")) or 0) + 1


def test_every_page_is_found_in_the_application(empty: Stage) -> None:
    found = {(page.endpoint, page.person) for page in empty.pages}
    assert {("home.index", HEAVY), ("roadmap.track", TYPICAL), ("reviews.question", TYPICAL)} <= found
    assert {("insights.questions", ADMIN), ("admin.sandboxes", ADMIN), ("authoring.edit", ADMIN)} <= found
    assert not {endpoint for endpoint, _person in found} & {
        "static",
        "accounts.sign_in",
        "lab_sessions.download",
    }


def test_a_page_that_needs_what_nobody_has_is_named(empty: Stage) -> None:
    other = Flask("other")
    other.add_url_rule("/things/<int:thing_id>", "things.thing", lambda thing_id: str(thing_id))
    with pytest.raises(RuntimeError, match=r"things\.thing needs thing_id"):
        pages(other, empty.persons, empty.visitors)


def test_statements_of_real_pages_are_counted(empty: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    page = next(page for page in empty.pages if page.endpoint == "home.index")
    visit = empty.visitors[page.person].visit(empty.app.extensions["portal"].database.engine, page.path)
    assert 3 < len(visit.statements) <= measuring.STATEMENTS_MOST
    print_statements("sqlite", page, visit, visit)
    assert json.loads(capsys.readouterr().out)["kept"] is True


def test_one_statement_too_many_is_reported(empty: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    engine: Engine = empty.database.engine
    with counted(engine) as seen, engine.connect() as connection:
        for _ in range(measuring.STATEMENTS_MOST + 1):
            connection.execute(text("SELECT 1"))
    visit = Visit(tuple(seen), 0.01)
    print_statements("sqlite", PAGE, visit, visit)
    said = capsys.readouterr()
    line = json.loads(said.out)
    assert (line["unit"], line["ours"], line["budget"], line["kept"]) == ("statements", 13, 12, False)
    assert "/a-page takes 13 statements" in said.err


def test_a_statement_more_for_a_full_database_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    print_statements("sqlite", PAGE, Visit(("a", "b"), 0.01), Visit(("a", "b", "b"), 0.01))
    line = json.loads(capsys.readouterr().out)
    assert (line["ours"], line["floor"], line["ratio"], line["kept"]) == (3, 2, 1.5, False)


def test_a_slow_page_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    print_rates("sqlite", PAGE, [Rate(50.0, 0.02), Rate(5.0, None)], [Rate(100.0, 0.01), Rate(10.0, 0.01)])
    print_rates("sqlite", PAGE, [Rate(61.0, None)], [Rate(100.0, None)])
    slow, well = map(json.loads, capsys.readouterr().out.splitlines())
    assert (slow["ours"], slow["floor"], slow["ratio"], slow["kept"]) == (5.0, 10.0, 0.5, False)
    assert (slow["cpu_ms"], slow["floor_cpu_ms"]) == (20.0, 10.0)
    assert (well["ratio"], well["kept"], well["cpu_ms"]) == (0.61, True, None)


def test_the_floor_is_a_page_with_a_sign_in_check_and_three_queries(full: Stage) -> None:
    url, heavy = full.settings.database_url_effective, full.persons[1]
    app = floor.create_floor(url, "a key")
    client = app.test_client()
    assert client.get("/").status_code == 401
    client.get(f"/in/{heavy.user_id}")
    with counted(app.extensions["database"].engine) as seen:
        page = client.get("/").text
    assert len(seen) == 3
    assert "<h1>Heavy</h1>" in page
    assert "20 questions are due" in page
    assert page.count("<li>") == 5
    client.get("/in/987654")
    assert client.get("/").status_code == 401
    app.extensions["database"].close()


def test_rounds_are_asked_in_turns(full: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measuring, "ROUND_SECONDS", 0.05)
    monkeypatch.setattr(measuring, "WARM_SECONDS", 0.0)
    url, port = full.settings.database_url_effective, free_ports(1)
    environment = {floor.URL: url, floor.KEY: "a key"}
    with served("bench.pages.floor:app()", port, environment, tmp_path / "log", threads=2) as pid:
        page = Target(port, "/", floor_cookie(url, "a key", full.persons[0].user_id), pid=pid)
        until_answers(page)
        ours, bare = in_turns(page, page, 2)
        with pytest.raises(RuntimeError, match="401"):
            rate(Target(port, "/", ""), 0.05)
    assert [len(ours), len(bare)] == [2, 2]
    assert all(one.per_second > 0 and one.cpu_seconds is not None for one in [*ours, *bare])


@pytest.mark.parametrize(
    "arguments", [["--learners", "2"], ["--learners", "50", "--attempts", "49"], ["--database", "oracle"]]
)
def test_sizes_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["pages", *arguments])


def test_a_first_view_asks_the_database_again(empty: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()  # or the minute may end in between, and with it what is kept
    monkeypatch.setattr(kept_pages, "time", SimpleNamespace(time=lambda: now))
    page = next(page for page in empty.pages if page.endpoint == "roadmap.tracks")
    visitor, engine = empty.visitors[page.person], empty.app.extensions["portal"].database.engine
    first = visitor.visit(engine, page.path)
    with counted(engine) as second:
        visitor.client.get(page.path, base_url=visitor.origin)
    assert len(second) == 1 < len(first.statements)


def test_first_views_are_printed_beside_the_floor(empty: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    measuring.first_views(replace(empty, pages=empty.pages[:2]))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["unit"] for line in lines] == ["ms", "ms"]
    assert all(line["case"].endswith(", first view") and line["ours"] > 0 < line["floor"] for line in lines)


def test_only_a_database_that_was_filled_is_kept(tmp_path: Path, empty: Stage) -> None:
    folder = kept_folder(tmp_path, "one")
    (folder / "portal.db").write_text("half full")
    assert list(kept_folder(tmp_path, "one").iterdir()) == []
    keep_people(folder, empty.persons)
    assert kept_people(kept_folder(tmp_path, "one")) == list(empty.persons)


def test_single_pages_can_be_chosen(content: Content, tmp_path: Path, passwords_are_cheap: None) -> None:
    with stage("sqlite", content, tmp_path, only="heavy home.") as found:
        assert [(page.person, page.endpoint) for page in found.pages] == [(HEAVY, "home.index")]
