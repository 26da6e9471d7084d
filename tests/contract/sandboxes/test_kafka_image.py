"""The image `kafka`, built from a stand-in: an image with scripts where Kafka's are. What runs in it is the mock behind them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import docker
import httpx
import pytest
from docker.utils import kwargs_from_env

from sandboxes.cli import main
from sandboxes.drivers import images, open_driver
from sandboxes.drivers.image_context import ImageContext
from sandboxes.interface import ImageBuildFailed, Limits, SandboxSpec
from tests.contract.sandboxes.conftest import quiet

pytestmark = pytest.mark.docker

JAVA = "#!/bin/sh\necho stand-in runtime >&2\n"
FORMAT = '#!/bin/sh\n"$JAVA_HOME/bin/java" -version\n'
START = """#!/bin/sh
port="$(sed -n 's/^advertised.listeners=.*://p' "$1")"
exec python -m sandboxes.services.kafka.server --socket /tmp/standin --data /tmp --port "$port" --topics stood-in:3
"""


def load(client: docker.APIClient, name: str, files: dict[str, str]) -> None:
    """An image of these programs and nothing else."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.uid = len(text), 0o700, 4321
            archive.addfile(entry, io.BytesIO(text.encode()))
    repository, _, tag = name.partition(":")
    client.import_image_from_data(data.getvalue(), repository=repository, tag=tag)


@pytest.fixture
def engine() -> Iterator[docker.APIClient]:
    client = docker.APIClient(timeout=60, **kwargs_from_env())
    yield client
    client.close()


@pytest.fixture
def name(engine: docker.APIClient) -> Iterator[str]:
    """The name for an image of somebody else's; it and what is built from it are removed afterwards."""
    name = f"standin/kafka:{uuid4().hex[:12]}"
    yield name
    for tag in (ImageContext("kafka", {"KAFKA_IMAGE": name}).tag, name):
        if images.exists(engine, tag):
            engine.remove_image(tag, force=True)


def test_a_lab_that_asks_for_a_real_kafka_gets_the_image_that_the_operator_named(
    engine: docker.APIClient, name: str, run_dir: Path, tmp_path: Path
) -> None:
    programs = {
        "kafka/bin/kafka-storage.sh": FORMAT,
        "kafka/bin/kafka-server-start.sh": START,
        "java/openjdk/bin/java": JAVA,
    }
    load(engine, name, {f"opt/{path}": text for path, text in programs.items()})
    driver = open_driver("docker", run_dir, named={"KAFKA_IMAGE": name})
    try:
        sandbox = driver.start(
            SandboxSpec(
                workspace=tmp_path,
                services={"kafka": {"engine": "kafka"}},
                limits=Limits(memory_mb=768, pids=256),
                jupyter=False,
            ),
            quiet,
        )
        endpoint = sandbox.endpoint("kafka")
        transport = httpx.HTTPTransport(uds=str(endpoint.socket))
        with httpx.Client(transport=transport, base_url=endpoint.facts["base_url"], timeout=60) as door:
            assert door.get("/facts").json()["engine"] == "kafka"
            topics = door.get("/topics").json()["topics"]
        assert len(topics["stood-in"]["partitions"]) == 3
    finally:
        driver.close()


def test_an_image_without_kafka_is_told(engine: docker.APIClient, name: str, run_dir: Path) -> None:
    load(engine, name, {"opt/java/openjdk/bin/java": JAVA})
    driver = open_driver("docker", run_dir, named={"KAFKA_IMAGE": name})
    try:
        with pytest.raises(ImageBuildFailed) as failed:
            driver.prepare("kafka", quiet)
        assert "The image that KAFKA_IMAGE names has no Kafka in /opt/kafka." in failed.value.log
    finally:
        driver.close()


def test_a_build_of_all_images_leaves_out_what_nobody_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run_dir: Path
) -> None:
    monkeypatch.delenv("KAFKA_IMAGE", raising=False)
    monkeypatch.setattr("sandboxes.drivers.image_context.image_names", lambda: ["base", "kafka"])
    real = images.exists
    monkeypatch.setattr(
        images, "exists", lambda client, name: real(client, name) and name.startswith("proving-ground/base:")
    )
    assert main(["build", "--json", "--run-dir", str(run_dir)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [image["image"] for image in document["images"]] == ["base"]
    assert [image["image"] for image in document["left_out"]] == ["kafka"]
    assert "set KAFKA_IMAGE" in document["left_out"][0]["reason"]
