from __future__ import annotations

from pathlib import Path

import pytest

from sandboxes.services import SERVICES, check_services
from sandboxes.services.base import Place, Service


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(Path("/run/sandbox"), tmp_path / "data", tmp_path / "cache", Path("/code"))


def test_postgres_is_told_by_url_and_by_the_standard_variables(place: Place) -> None:
    assert SERVICES["postgres"]({"database": "shop"}, place).environment() == {
        "DATABASE_URL": "postgresql://learner@/shop?host=/run/sandbox/postgres",
        "PGHOST": "/run/sandbox/postgres",
        "PGUSER": "learner",
        "PGDATABASE": "shop",
    }


def test_meridian_is_told_by_socket_and_its_options_become_variables(place: Place) -> None:
    service = SERVICES["meridian"]({"seed": "7"}, place)
    assert service.environment() == {
        "MERIDIAN_SOCKET": "/run/sandbox/meridian.sock",
        "MERIDIAN_URL": "http://meridian",
    }
    command = service.prepare()
    assert list(command.arguments[1:]) == [
        "-m", "reference_impl", "serve", "--uds", "/run/sandbox/meridian.sock", "--data", str(place.data_dir),
    ]  # fmt: skip
    assert command.environment == {"PYTHONPATH": "/code", "MERIDIAN_SEED": "7"}


def test_endpoints_lie_in_the_folder_they_are_asked_for() -> None:
    folder = Path("/doors/x")
    postgres = SERVICES["postgres"].endpoint({"database": "shop"}, folder)
    assert (postgres.socket, dict(postgres.facts)) == (
        folder / "postgres",
        {"user": "learner", "dbname": "shop"},
    )
    meridian = SERVICES["meridian"].endpoint({}, folder)
    assert (meridian.socket, dict(meridian.facts)) == (
        folder / "meridian.sock",
        {"base_url": "http://meridian"},
    )


@pytest.mark.parametrize(
    "wanted",
    [
        {"abacus": {}},
        {"postgres": {"port": "1"}},
        {"postgres": {"database": ""}},
        {"postgres": {"database": "Shop"}},
        {"postgres": {"database": "a b"}},
        {"meridian": {"PATH": "x"}},
        {"meridian": {"a=b": "x"}},
        {"aws": {"services": "s3"}},
        {"aws": {"region": "moon-1"}},
        {"aws": {"region": ""}},
        {"terraform": {"version": "1"}},
        {"envoy": {"port": "1"}},
        {"go": {"cgo": "1"}},
        {"go": {"race": "sometimes"}},
    ],
)
def test_what_no_service_can_do_is_refused(wanted: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ValueError, match=r"service|database|region"):
        check_services(wanted)


def test_what_a_service_makes_use_of_is_named_before_it() -> None:
    check_services({"aws": {}, "terraform": {}})
    check_services({"terraform": {}})
    with pytest.raises(ValueError, match="terraform makes use of aws: name aws before it"):
        check_services({"terraform": {}, "aws": {}})


def test_what_could_read_anothers_data_never_runs_beside_it() -> None:
    check_services({"envoy": {}, "redis": {}})
    with pytest.raises(ValueError, match="envoy can't run beside postgres"):
        check_services({"postgres": {}, "envoy": {}})


def test_an_incomplete_service_fails_when_it_is_defined() -> None:
    with pytest.raises(TypeError, match="lacks name, option_names, sockets"):
        type("Half", (Service,), {})
