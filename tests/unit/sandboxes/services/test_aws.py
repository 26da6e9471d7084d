from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sandboxes.services.aws import Aws
from sandboxes.services.base import Place

pytestmark = pytest.mark.cloud


@pytest.fixture
def aws(tmp_path: Path) -> Aws:
    return Aws({"region": "us-east-1"}, Place(tmp_path, tmp_path / "data", tmp_path / "cache", Path("/code")))


def test_clients_are_told_by_the_variables_that_they_know(aws: Aws) -> None:
    variables = aws.environment()
    assert variables["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{aws.port}"
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "us-east-1"


def test_the_grader_is_told_the_region_and_how_to_name_a_service() -> None:
    facts = Aws.endpoint({}, Path("/doors")).facts
    assert facts["region"] == "eu-central-1"
    assert "/eu-central-1/sqs/aws4_request" in facts["authorization"].format(service="sqs")


@pytest.mark.parametrize(("length", "status"), [("", "200 OK"), ("67108864", "200 OK"), ("67108865", "413")])
def test_bodies_are_bounded(length: str, status: str) -> None:
    from sandboxes.services.aws.server import bounded

    answers: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b""]

    bounded(application)({"CONTENT_LENGTH": length}, lambda status, headers: answers.append(status))
    assert answers[0].startswith(status)


@pytest.mark.parametrize("arguments", [[], ["socket"], ["socket", "port"]])
def test_arguments_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    from sandboxes.services.aws.server import main

    assert main(arguments) == 2


def test_moto_runs_without_containers_and_with_real_state_machines() -> None:
    from moto.core.config import default_user_config

    from sandboxes.services.aws.server import configure

    configure()
    assert default_user_config["lambda"]["use_docker"] is False
    assert default_user_config["stepfunctions"]["execute_state_machine"] is True
