"""Which requests find a sandbox."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from sandboxes.gateway import route_table
from sandboxes.gateway.route_table import Address, RouteTable, parse

TOKEN = "k" * 43


def write(run_dir: Path, name: str = "box1", **changes: object) -> Path:
    (run_dir / "routes").mkdir(exist_ok=True)
    path = run_dir / "routes" / f"{name}.json"
    content = {
        "id": "box1",
        "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
        "jupyter_socket": "/run/x/jupyter.sock",
    }
    path.write_text(json.dumps({**content, **changes}))
    return path


def test_an_address_is_taken_apart() -> None:
    assert parse(f"/s/box1/{TOKEN}/tree/a%20b?x=1") == Address("box1", TOKEN, "/tree/a%20b?x=1")


def test_an_address_without_a_path_is_one_too() -> None:
    assert parse(f"/s/box1/{TOKEN}") == Address("box1", TOKEN, "")


def test_the_token_is_not_in_the_representation_of_an_address() -> None:
    assert TOKEN not in repr(parse(f"/s/box1/{TOKEN}/"))


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/s/",
        "/s/box1",
        f"/x/box1/{TOKEN}/",
        f"/s/Box1/{TOKEN}/",
        f"/s/../{TOKEN}/",
        f"/s/-box/{TOKEN}/",
        f"/s/{'b' * 65}/{TOKEN}/",
        f"/s/box%31/{TOKEN}/",
        "/s/box1/short/",
        f"/s/box1/{'k' * 129}/",
        f"/s/box1/{TOKEN}%00/",
        f"http://elsewhere/s/box1/{TOKEN}/",
        f"/s/box1/{TOKEN}/../../box2/",
        f"/s/box1/{TOKEN}/a/./b",
        f"/s/box1/{TOKEN}/%2e%2e/containers/json",
        f"/s/box1/{TOKEN}/.%2E",
    ],
)
def test_what_cannot_be_a_sandboxes_address_is_none(target: str) -> None:
    assert parse(target) is None


def test_dots_in_names_and_queries_are_allowed() -> None:
    assert parse(f"/s/box1/{TOKEN}/files/..data/a..b.txt?path=../x") is not None


def test_a_route_is_found_by_its_id_and_token(run_dir: Path) -> None:
    write(run_dir)
    route = RouteTable(run_dir).find(Address("box1", TOKEN, "/"))
    assert route is not None
    assert route.jupyter_socket == Path("/run/x/jupyter.sock")


def test_a_wrong_token_and_an_unknown_id_find_nothing(run_dir: Path) -> None:
    write(run_dir)
    table = RouteTable(run_dir)
    assert table.find(Address("box1", "x" * 43, "/")) is None
    assert table.find(Address("box2", TOKEN, "/")) is None


def test_there_need_be_no_routes_directory(run_dir: Path) -> None:
    assert RouteTable(run_dir).find(Address("box1", TOKEN, "/")) is None


def test_tokens_are_compared_in_constant_time(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(run_dir)
    compare = Mock(wraps=hmac.compare_digest)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    RouteTable(run_dir).find(Address("box1", "x" * 43, "/"))
    compare.assert_called_once()


def test_a_route_ends_when_its_file_is_removed(run_dir: Path) -> None:
    path = write(run_dir)
    table = RouteTable(run_dir)
    assert table.find(Address("box1", TOKEN, "/"))
    path.unlink()
    assert table.find(Address("box1", TOKEN, "/")) is None


def test_a_replaced_file_is_read_again(run_dir: Path) -> None:
    write(run_dir)
    table = RouteTable(run_dir)
    assert table.find(Address("box1", TOKEN, "/"))
    temporary = write(run_dir, "new", jupyter_socket="/run/y/jupyter.sock")
    temporary.replace(run_dir / "routes" / "box1.json")
    route = table.find(Address("box1", TOKEN, "/"))
    assert route is not None
    assert route.jupyter_socket == Path("/run/y/jupyter.sock")


def test_an_unchanged_file_is_not_parsed_again(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(run_dir)
    table = RouteTable(run_dir)
    assert table.find(Address("box1", TOKEN, "/"))
    monkeypatch.setattr(route_table, "_read", lambda *_: pytest.fail("parsed again"))
    assert table.find(Address("box1", TOKEN, "/"))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "box2"},
        {"token_sha256": "not a digest"},
        {"token_sha256": 7},
        {"jupyter_socket": "relative.sock"},
        {"jupyter_socket": None},
        {"padding": "x" * route_table.MAX_FILE_BYTES},
    ],
)
def test_a_file_that_makes_no_sense_is_no_route(run_dir: Path, changes: dict[str, object]) -> None:
    write(run_dir, **changes)
    assert RouteTable(run_dir).find(Address("box1", TOKEN, "/")) is None


def test_a_file_that_is_no_json_is_no_route(run_dir: Path) -> None:
    write(run_dir).write_text("[1, ")
    assert RouteTable(run_dir).find(Address("box1", TOKEN, "/")) is None


def test_a_link_is_no_route(run_dir: Path) -> None:
    path = write(run_dir)
    path.rename(run_dir / "elsewhere.json")
    path.symlink_to(run_dir / "elsewhere.json")
    assert RouteTable(run_dir).find(Address("box1", TOKEN, "/")) is None


def test_the_cache_stays_small(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_table, "MAX_CACHED", 3)
    table = RouteTable(run_dir)
    for number in range(6):
        write(run_dir, f"box{number}", id=f"box{number}")
        assert table.find(Address(f"box{number}", TOKEN, "/"))
    assert list(table._cache) == ["box3", "box4", "box5"]
