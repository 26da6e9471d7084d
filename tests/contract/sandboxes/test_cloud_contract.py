"""What the services `aws` and `terraform` promise on both drivers, by boto3 and Terraform inside and HTTP from outside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from sandboxes.interface import CommandResult, Driver, Limits, Sandbox, SandboxSpec, ServiceState
from sandboxes.services.terraform import BUCKET, TABLE
from sandboxes.unix_http import UnixConnection
from tests.contract.sandboxes.conftest import quiet
from tests.contract.sandboxes.notebooks import execute

pytestmark = pytest.mark.cloud

REGION = "eu-west-1"
CONFIGURATION = """
terraform {
  backend "s3" {
    key = "shop.tfstate"
  }
}

variable "size" {
  default = "small"
}

variable "held" {
  default = "no"
}

resource "terraform_data" "shop" {
  input            = var.size
  triggers_replace = var.held

  provisioner "local-exec" {
    command = "touch applying; until [ ${self.triggers_replace} = no ] || [ -e finish ]; do sleep 0.1; done"
  }
}

output "size" {
  value = terraform_data.shop.output
}
"""


@pytest.fixture(scope="module")
def cloud(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox with AWS and Terraform, and the functions of `inside_cloud.py` in its kernel."""
    spec = SandboxSpec(
        workspace=tmp_path_factory.mktemp("cloud"),
        services={"aws": {"region": REGION}, "terraform": {}},
        image="cloud",
        limits=Limits(memory_mb=1536),
        jupyter=False,
    )
    sandbox = driver.start(spec, quiet)
    try:
        executed = execute(sandbox, Path(__file__).with_name("inside_cloud.py").read_text(encoding="utf-8"))
        assert not executed.errors
        yield sandbox
    finally:
        sandbox.stop()


@pytest.fixture
def outside(cloud: Sandbox) -> Iterator[httpx.Client]:
    """The grader's client of S3."""
    with grader(cloud, "s3") as client:
        yield client


def grader(cloud: Sandbox, service: str) -> httpx.Client:
    """A client of one service of AWS from outside."""
    endpoint = cloud.endpoint("aws")
    return httpx.Client(
        transport=httpx.HTTPTransport(uds=str(endpoint.socket)),
        base_url=endpoint.facts["base_url"],
        headers={"Authorization": endpoint.facts["authorization"].format(service=service)},
        timeout=120,
    )


@pytest.mark.parametrize(
    ("function", "found"),
    [
        ("identity", ["123456789012", REGION]),
        ("table", ["ConditionalCheckFailedException", [30, 40], 90]),
        ("fan_out", [["large", "small"], ["large"], ["large", "small"]]),
        ("invoke", [200, {"number": 21}]),
        (
            "state_machine",
            [[["SUCCEEDED", {"order": "small"}], ["SUCCEEDED", {"order": "large"}]], ["total 500"]],
        ),
        ("stack", ["CREATE_COMPLETE", "stacked-jobs", True, ["Queue"], []]),
        ("secret", ["second", "first"]),
        ("event", ["placed"]),
        ("name", ["192.0.2.1"]),
        ("policy", [["AmazonS3ReadOnlyAccess"], "MalformedPolicyDocument"]),
        ("gateway", [["prod"], ["/", "/health"]]),
        ("watch", [6.0, ["many"], ["an error"]]),
    ],
)
def test_services_of_aws_answer_the_learners_client(cloud: Sandbox, function: str, found: object) -> None:
    assert cloud.call(function, timeout=240) == found


def test_the_grader_sees_the_learners_bucket_and_the_learner_what_the_grader_puts_there(
    cloud: Sandbox, outside: httpx.Client
) -> None:
    assert cloud.call("objects", "shop-files", 7, timeout=240) == [7, 2, 9_000_000, "again"]
    assert outside.get("/shop-files/part/0").text == "again"
    assert outside.put("/shop-files/hidden", content=b"by the grader").status_code == 200
    assert cloud.call("text_of", "shop-files", "hidden") == "by the grader"


def test_a_request_with_too_large_a_body_is_refused_before_it_is_read(cloud: Sandbox) -> None:
    connection = UnixConnection(str(cloud.endpoint("aws").socket), timeout=60)
    try:
        connection.request("PUT", "/shop-large/all", headers={"Content-Length": "9999999999"})
        assert connection.getresponse().status == 413
    finally:
        connection.close()


def test_many_clients_are_served_at_once(cloud: Sandbox, outside: httpx.Client) -> None:
    cloud.call("bucket", "shop-crowd")
    with ThreadPoolExecutor(60) as crowd:
        answers = crowd.map(lambda key: outside.put(f"/shop-crowd/{key}", content=b"x").status_code, range(200))
        assert set(answers) == {200}
    listed = outside.get("/shop-crowd", params={"list-type": "2", "max-keys": "1000"})
    assert listed.text.count("<Key>") == 200


def terraform(cloud: Sandbox, folder: str, *arguments: str) -> CommandResult:
    return cloud.run(["terraform", f"-chdir={folder}", arguments[0], "-no-color", *arguments[1:]], timeout=300)


def initialised(cloud: Sandbox, folder: str) -> None:
    """A folder with a configuration whose state is in S3, under the folder's name, after `terraform init`."""
    cloud.run(["mkdir", "-p", folder])
    cloud.write(f"{folder}/main.tf", CONFIGURATION.replace("shop.tfstate", f"{folder}.tfstate").encode())
    command = f'terraform -chdir={folder} init -no-color -backend-config="$TERRAFORM_BACKEND"'
    answer = cloud.run(["bash", "-c", command], timeout=300)
    assert answer.exit_code == 0, answer.output


def test_terraform_keeps_its_state_in_the_sandboxs_s3(cloud: Sandbox, outside: httpx.Client) -> None:
    initialised(cloud, "kept")
    planned = terraform(cloud, "kept", "plan", "-out=plan")
    assert "1 to add, 0 to change, 0 to destroy" in planned.output
    applied = terraform(cloud, "kept", "apply", "plan")
    assert applied.exit_code == 0, applied.output
    state = outside.get(f"/{BUCKET}/kept.tfstate").json()
    assert state["outputs"]["size"]["value"] == "small"
    changed = terraform(cloud, "kept", "apply", "-auto-approve", "-var=size=large")
    assert "0 added, 1 changed, 0 destroyed" in changed.output
    assert outside.get(f"/{BUCKET}/kept.tfstate").json()["outputs"]["size"]["value"] == "large"
    with pytest.raises(FileNotFoundError):
        cloud.read("kept/terraform.tfstate")


def test_a_second_apply_is_refused_while_the_first_holds_the_lock(
    cloud: Sandbox,
) -> None:
    initialised(cloud, "locked")
    deadline = time.monotonic() + 120
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(terraform, cloud, "locked", "apply", "-auto-approve", "-var=held=yes")
        while cloud.run(["test", "-e", "locked/applying"]).exit_code != 0:
            assert time.monotonic() < deadline
            assert not first.done()
            time.sleep(0.1)
        with grader(cloud, "dynamodb") as dynamodb:
            scan = {"X-Amz-Target": "DynamoDB_20120810.Scan", "Content-Type": "application/x-amz-json-1.0"}
            locks = dynamodb.post("/", headers=scan, json={"TableName": TABLE}).json()["Items"]
        second = terraform(cloud, "locked", "apply", "-auto-approve", "-lock-timeout=0s")
        assert not first.done()
        cloud.write("locked/finish", b"")
    assert any("Info" in lock for lock in locks)
    assert second.exit_code == 1
    assert "Error acquiring the state lock" in second.output
    assert first.result().exit_code == 0, first.result().output
    third = terraform(cloud, "locked", "apply", "-auto-approve")
    assert third.exit_code == 0, third.output


def test_a_provider_that_is_not_there_is_missed_at_once_and_by_name(cloud: Sandbox) -> None:
    cloud.run(["mkdir", "-p", "other"])
    cloud.write("other/main.tf", b'resource "random_id" "one" {\n  byte_length = 4\n}\n')
    started = cloud.run(["terraform", "-chdir=other", "init", "-no-color"], timeout=120)
    assert started.exit_code == 1
    assert "hashicorp/random" in started.output


def test_tools_are_ready_like_services_and_have_no_socket(cloud: Sandbox) -> None:
    assert [(service.name, service.state) for service in cloud.status().services] == [
        ("aws", ServiceState.READY),
        ("terraform", ServiceState.READY),
    ]
    with pytest.raises(KeyError):
        cloud.endpoint("terraform")
