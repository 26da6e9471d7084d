from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from sandboxes.services import check_services, prometheus
from sandboxes.services.base import NotReady, Place, ServiceFailed
from sandboxes.services.prometheus import Prometheus, parse_targets


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "run").mkdir()
    return Place(tmp_path / "run", tmp_path / "data" / "prometheus", tmp_path / "cache", Path("/code"))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus.shutil, "which", lambda name: f"/usr/bin/{name}")


def test_it_is_told_by_url_and_by_the_folders_that_it_reads(place: Place) -> None:
    service = Prometheus({}, place)
    assert service.environment() == {
        "PROMETHEUS_URL": f"http://127.0.0.1:{service.port}",
        "PROMETHEUS_TARGETS_DIR": str(place.data_dir / "targets"),
        "PROMETHEUS_RULES_DIR": str(place.data_dir / "rules"),
    }


def test_every_job_is_scraped_within_limits(place: Place) -> None:
    service = Prometheus({"targets": "shop=127.0.0.1:80, shop=b:81,till=c:82", "scrape_interval": "15s"}, place)
    document = service.configuration()
    assert document["global"] == {
        "scrape_interval": "15s",
        "scrape_timeout": "10s",
        "evaluation_interval": "15s",
    }
    jobs = {job["job_name"]: job for job in document["scrape_configs"]}
    assert jobs["shop"]["static_configs"] == [{"targets": ["127.0.0.1:80", "b:81"]}]
    assert jobs["prometheus"]["static_configs"] == [{"targets": [f"127.0.0.1:{service.port}"]}]
    assert jobs["files"]["file_sd_configs"][0]["files"][0] == str(place.data_dir / "targets" / "*.json")
    assert set(jobs) == {"shop", "till", "prometheus", "files"}
    for job in jobs.values():
        assert (job["sample_limit"], job["body_size_limit"]) == (20_000, "8MB")


@pytest.mark.usefixtures("installed")
def test_another_user_may_write_targets_and_rules_but_not_look_around(place: Place) -> None:
    place.data_dir.parent.mkdir(mode=0o700)
    service = Prometheus({}, place)
    command = service.prepare()
    assert json.loads((place.data_dir / "prometheus.yml").read_text()) == service.configuration()
    modes = {
        name: stat.S_IMODE((place.data_dir / name).stat().st_mode) for name in ("..", ".", "targets", "rules")
    }
    assert modes == {"..": 0o711, ".": 0o711, "targets": 0o777, "rules": 0o777}
    assert list(command.arguments[1:7]) == [
        "-m", "sandboxes.services.relay", str(place.run_dir / "prometheus" / "prometheus.sock"), str(service.port),
        "--", "/usr/bin/prometheus",
    ]  # fmt: skip
    assert f"--web.listen-address=127.0.0.1:{service.port}" in command.arguments
    assert "--storage.tsdb.retention.size=32MB" in command.arguments


@pytest.mark.parametrize(
    "options",
    [
        {"port": "1"},
        {"targets": "127.0.0.1:80"},
        {"targets": "a=b"},
        {"targets": "a=b:0"},
        {"targets": "a=b:65536"},
        {"targets": "a=b/c:80"},
        {"targets": "files=b:80"},
        {"targets": ",".join(f"a=b:{port}" for port in range(1, 40))},
        {"scrape_interval": "0s"},
        {"scrape_interval": "61s"},
        {"scrape_interval": "1m"},
        {"retention": "forever"},
        {"retention_mb": "0"},
        {"retention_mb": "129"},
        {"retention_mb": "lots"},
    ],
)
def test_options_that_it_does_not_have_or_can_not_take_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="prometheus"):
        check_services({"prometheus": options})


def test_no_targets_are_none() -> None:
    assert parse_targets(" , ") == {}


def test_without_the_program_the_operator_is_told_what_to_install(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus.shutil, "which", lambda name: None)
    with pytest.raises(ServiceFailed, match="package prometheus"):
        Prometheus({}, place).prepare()


def test_what_does_not_answer_is_not_ready(place: Place) -> None:
    with pytest.raises(NotReady, match="no answer"):
        Prometheus({}, place).probe()
