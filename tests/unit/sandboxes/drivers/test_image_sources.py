"""Images that take a part from somebody else's: which one, when they are built, and when a sandbox is made from them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sandboxes.drivers import docker, images
from sandboxes.drivers.docker import DockerDriver
from sandboxes.drivers.image_context import ImageContext
from sandboxes.drivers.image_sources import not_wanted, read_source
from sandboxes.interface import ImageBuildFailed, SandboxSpec

DOCKERFILE = (
    "# builds on: base\n# takes from: THEIRS\nARG BASE_IMAGE\nARG THEIRS=them/it:1\nFROM ${THEIRS} AS theirs\n"
)


def test_the_operator_s_name_comes_before_the_dockerfile_s() -> None:
    default = read_source(DOCKERFILE, {"THEIRS": " "})
    assert default is not None
    assert (default.argument, default.image, default.asked) == ("THEIRS", "them/it:1", False)
    named = read_source(DOCKERFILE, {"THEIRS": "host:5000/a/b:2@sha256:00"})
    assert named is not None
    assert (named.image, named.asked) == ("host:5000/a/b:2@sha256:00", True)
    assert read_source(DOCKERFILE.replace("# takes", "# says"), {"THEIRS": "a"}) is None


@pytest.mark.parametrize("name", ["a b", "-a", "A/b", "a\nRUN x", "a" * 300])
def test_what_can_not_name_an_image_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="set it to the name of an image, such as them/it:1"):
        read_source(DOCKERFILE, {"THEIRS": name})


def test_a_source_without_a_default_is_refused() -> None:
    with pytest.raises(ValueError, match=r"needs `ARG THEIRS=<image>`"):
        read_source(DOCKERFILE.replace("=them/it:1", ""), {})


def test_the_name_goes_into_the_build_and_into_the_tag() -> None:
    default, other = ImageContext("kafka", {}), ImageContext("kafka", {"KAFKA_IMAGE": "mine/kafka:3"})
    assert default.arguments["KAFKA_IMAGE"].startswith("apache/kafka:")
    assert other.arguments["KAFKA_IMAGE"] == "mine/kafka:3"
    assert default.tag != other.tag
    assert default.below is not None
    assert other.below is not None
    assert default.below.tag == other.below.tag


def test_a_name_that_can_not_be_is_told_with_the_file() -> None:
    with pytest.raises(ImageBuildFailed, match="images/kafka/Dockerfile takes from KAFKA_IMAGE, which is 'No'"):
        ImageContext("kafka", {"KAFKA_IMAGE": "No"})


def test_it_is_wanted_when_named_when_its_source_is_here_and_when_it_is_built() -> None:
    default = ImageContext("kafka", {})
    assert default.source is not None
    unwanted = not_wanted(default, lambda name: False)
    assert unwanted is not None
    assert f"`docker pull {default.source.image}` or set KAFKA_IMAGE" in unwanted
    assert not_wanted(default, lambda name: name == default.source.image) is None  # type: ignore[union-attr]
    assert not_wanted(default, lambda name: name == default.tag) is None
    assert not_wanted(ImageContext("kafka", {"KAFKA_IMAGE": "mine/kafka:3"}), lambda name: False) is None
    assert not_wanted(ImageContext("cloud", {}), lambda name: False) is None


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """Short, as a run directory has to be."""
    folder = Path(tempfile.mkdtemp(prefix="pgs-"))
    yield folder
    shutil.rmtree(folder)


def driver_where(
    monkeypatch: pytest.MonkeyPatch, run_dir: Path, here: set[str], named: Mapping[str, str]
) -> DockerDriver:
    """A driver whose engine has these images and no other."""

    def exists(_client: object, name: str) -> bool:
        return name in here

    monkeypatch.setattr(docker, "exists", exists)
    monkeypatch.setattr(images, "exists", exists)
    driver = DockerDriver(run_dir, named=named)
    monkeypatch.setattr(driver, "_engine", type("Engine", (), {"client": None})())
    return driver


def spec(tmp_path: Path, image: str, engine: str) -> SandboxSpec:
    return SandboxSpec(workspace=tmp_path, image=image, services={"kafka": {"engine": engine}})


@pytest.mark.parametrize(
    ("image", "engine", "named", "taken"),
    [
        ("base", "kafka", "mine/kafka:3", "kafka"),
        ("base", "kafka", "", "base"),
        ("base", "auto", "mine/kafka:3", "base"),
        ("base", "mock", "mine/kafka:3", "base"),
        ("kafka", "auto", "mine/kafka:3", "kafka"),
        ("cloud", "kafka", "mine/kafka:3", "cloud"),
    ],
)
def test_a_lab_gets_the_image_with_what_it_asks_for_where_that_can_be_had(
    monkeypatch: pytest.MonkeyPatch,
    run_dir: Path,
    tmp_path: Path,
    image: str,
    engine: str,
    named: str,
    taken: str,
) -> None:
    driver = driver_where(monkeypatch, run_dir, set(), {"KAFKA_IMAGE": named})
    assert driver._fitting_image(spec(tmp_path, image, engine)) == taken


def test_the_image_is_taken_once_its_source_is_here(
    monkeypatch: pytest.MonkeyPatch, run_dir: Path, tmp_path: Path
) -> None:
    source = ImageContext("kafka", {}).source
    assert source is not None
    driver = driver_where(monkeypatch, run_dir, {source.image}, {})
    assert driver._fitting_image(spec(tmp_path, "base", "kafka")) == "kafka"


def test_a_lab_that_names_the_image_does_not_make_the_engine_fetch_it(
    monkeypatch: pytest.MonkeyPatch, run_dir: Path
) -> None:
    driver = driver_where(monkeypatch, run_dir, {ImageContext("base").tag}, {})
    with pytest.raises(ImageBuildFailed, match=r"takes a part from apache/kafka:.*is not here") as failed:
        driver.prepare("kafka", lambda progress: None)
    assert "KAFKA_IMAGE" in failed.value.learner


def test_a_source_that_can_not_be_fetched_is_told_with_what_to_do() -> None:
    failed = images._failed(
        "kafka", "image 2 of 2, step 3 of 10: fetching Kafka", images.deque(["no such host"])
    )
    assert "docker load" in failed.log
    assert "KAFKA_IMAGE" in failed.log
