"""Tracks stand in the order that their files say, and what stands in lists of files can be renamed, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from roadmap import Criterion, Kind, Module, Topic, load
from tests.unit.roadmap.test_companions import SCORECARD

if TYPE_CHECKING:
    from tests.unit.roadmap.conftest import ContentFolder

CRITERIA = "criteria:\n  - {id: told-it, title: You told it to somebody}\n"


def track(name: str, order: int) -> str:
    return (
        f"id: {name}\norder: {order}\ntitle: A way of its own\nsummary: From the schema to what runs on it.\n"
        f"stages:\n  - {{id: {name}-all, title: All of it, summary: Everything that there is at once., modules: [schema]}}\n"
    )


@pytest.fixture
def listed(content: ContentFolder) -> ContentFolder:
    path = content.root / "tracks/databases.yaml"
    path.write_text(path.read_text(encoding="utf-8") + CRITERIA, encoding="utf-8")
    content.write("scorecard.yaml", SCORECARD)
    return content


def test_tracks_stand_in_their_order_and_not_in_that_of_their_files(content: ContentFolder) -> None:
    content.write("tracks/afterwards.yaml", track("afterwards", 3))
    content.write("tracks/zeroth.yaml", track("zeroth", 2))

    catalogue = content.load()

    assert catalogue.faults == ()
    assert list(catalogue.tracks) == ["databases", "zeroth", "afterwards"]


def test_no_two_tracks_have_one_place(content: ContentFolder) -> None:
    content.write("tracks/afterwards.yaml", track("afterwards", 1))

    assert content.faults() == [
        "tracks/databases.yaml:2: the order 1 is already taken by tracks/afterwards.yaml"
    ]


def test_a_track_says_its_place(content: ContentFolder) -> None:
    content.change("tracks/databases.yaml", "order: 1\n", "")

    assert any("order" in fault for fault in content.faults())


def test_the_first_track_of_the_product_is_the_architect_s() -> None:
    assert next(iter(load().tracks.values())).title == "Solution architect in six months"


@pytest.mark.parametrize(
    ("kind", "file", "now"),
    [
        (Kind.CRITERION, "tracks/databases.yaml", "told-it"),
        (Kind.DIMENSION, "scorecard.yaml", "depth"),
        (Kind.COMMITMENT, "scorecard.yaml", "comment"),
        (Kind.METRIC, "scorecard.yaml", "posts"),
    ],
)
class TestRenaming:
    def rename(self, listed: ContentFolder, file: str, now: str, former: str) -> None:
        if f"{{id: {now}," in (listed.root / file).read_text(encoding="utf-8"):
            listed.change(file, f"{{id: {now},", f"{{id: {now}, replaces: [{former}],")
        else:
            listed.change(file, f"id: {now}\n", f"id: {now}\n    replaces: [{former}]\n")

    def test_a_former_id_leads_to_the_one_of_today(
        self, listed: ContentFolder, kind: Kind, file: str, now: str
    ) -> None:
        self.rename(listed, file, now, "former-one")

        catalogue = listed.load()

        assert catalogue.faults == ()
        assert catalogue.current_id(kind, "former-one") == now
        assert catalogue.ids_of(kind, now) == (now, "former-one")

    def test_an_id_in_use_is_not_replaced(self, listed: ContentFolder, kind: Kind, file: str, now: str) -> None:
        self.rename(listed, file, now, now)

        (fault,) = listed.faults()

        assert f"'{now}' replaces '{now}', but a {kind} with that id is still there" in fault
        assert fault.startswith(f"{file}:")


def test_an_entry_is_found_by_its_id_of_today_or_a_former_one(listed: ContentFolder) -> None:
    listed.change("modules/schema.yaml", "hours: 6", "hours: 6\nreplaces: [schemas]")

    catalogue = listed.load()

    assert catalogue.current(Module, "schemas") is catalogue.modules["schema"]
    assert catalogue.current(Module, "schema") is catalogue.modules["schema"]
    assert catalogue.current(Topic, "schema") is None
    assert catalogue.current(Module, "") is None
    told = catalogue.current(Criterion, "told-it")
    assert told is not None
    assert told.title == "You told it to somebody"
