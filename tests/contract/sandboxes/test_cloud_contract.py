"""What the services `aws` and `terraform` promise on both drivers, by boto3 and Terraform inside and HTTP from outside."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from sandboxes.interface import CommandResult, Driver, Limits, Sandbox, SandboxSpec, ServiceState
from sandboxes.services.terraform import BUCKET, TABLE, scope
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

variable "seconds" {
  default = "0"
}

resource "terraform_data" "shop" {
  input            = var.size
  triggers_replace = var.seconds

  provisioner "local-exec" {
    command = "touch applying; sleep ${self.triggers_replace}"
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
    """The grader's client."""
    endpoint = cloud.endpoint("aws")
    transport = httpx.HTTPTransport(uds=str(endpoint.socket))
    with httpx.Client(transport=transport, base_url=endpoint.facts["base_url"], timeout=20) as client:
        yield client


def ask(outside: httpx.Client, service: str, target: str, document: object) -> dict[str, object]:
    """A request of one of AWS's JSON protocols."""
    headers = {
        "Authorization": scope(service, REGION),
        "X-Amz-Target": target,
        "Content-Type": "application/x-amz-json-1.0",
    }
    answer = outside.post("/", headers=headers, content=json.dumps(document))
    answer.raise_for_status()
    return dict(answer.json())


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
        ("stack", ["CREATE_COMPLETE", "shop-jobs", True, ["Queue"], []]),
        ("secret", ["second", "first"]),
        ("event", ["placed"]),
        ("name", ["192.0.2.1"]),
        ("policy", [["AmazonS3ReadOnlyAccess"], "MalformedPolicyDocument"]),
        ("gateway", [["prod"], ["/", "/health"]]),
        ("watch", [6.0, ["many"], ["an error"]]),
    ],
)
def test_services_of_aws_answer_the_learners_client(cloud: Sandbox, function: str, found: object) -> None:
    assert cloud.call(function, timeout=60) == found


def test_the_grader_sees_the_learners_bucket_and_the_learner_what_the_grader_puts_there(
    cloud: Sandbox, outside: httpx.Client
) -> None:
    assert cloud.call("objects", "shop-files", 7, timeout=60) == [7, 2, 9_000_000, "again"]
    assert outside.get("/shop-files/part/0").text == "again"
    assert outside.put("/shop-files/hidden", content=b"by the grader").status_code == 200
    url = cloud.value("os.environ['AWS_ENDPOINT_URL']")
    assert url.startswith("http://127.0.0.1:")
    assert cloud.call("body_of", f"{url}/shop-files/hidden") == "by the grader"


def test_a_request_with_a_body_without_end_is_refused(outside: httpx.Client) -> None:
    answer = outside.post("/shop-files/large", headers={"Content-Length": "9999999999"}, content=iter([b"x"]))
    assert answer.status_code == 413


def test_many_clients_are_served_at_once(cloud: Sandbox, outside: httpx.Client) -> None:
    outside.put("/crowd").raise_for_status()
    with ThreadPoolExecutor(32) as crowd:
        answers = list(
            crowd.map(lambda number: outside.put(f"/crowd/{number}", content=b"x").status_code, range(200))
        )
    assert answers == [200] * 200
    assert outside.get("/crowd", params={"list-type": "2", "max-keys": "1000"}).text.count("<Key>") == 200


def terraform(cloud: Sandbox, *arguments: str) -> CommandResult:
    return cloud.run(["terraform", arguments[0], "-no-color", *arguments[1:]], timeout=120)


@pytest.fixture(scope="module")
def initialised(cloud: Sandbox) -> CommandResult:
    """The answer of `terraform init` over a configuration with its state in S3."""
    cloud.write("main.tf", CONFIGURATION.encode())
    return cloud.run(
        ["bash", "-c", 'terraform init -no-color -backend-config="$TERRAFORM_BACKEND"'], timeout=120
    )


def test_terraform_keeps_its_state_in_the_sandboxs_s3(
    cloud: Sandbox, outside: httpx.Client, initialised: CommandResult
) -> None:
    assert initialised.exit_code == 0, initialised.output
    planned = terraform(cloud, "plan", "-out=plan")
    assert "1 to add, 0 to change, 0 to destroy" in planned.output
    applied = terraform(cloud, "apply", "plan")
    assert applied.exit_code == 0, applied.output
    state = outside.get(f"/{BUCKET}/shop.tfstate").json()
    assert state["outputs"]["size"]["value"] == "small"
    changed = terraform(cloud, "apply", "-auto-approve", "-var=size=large")
    assert "0 added, 1 changed, 0 destroyed" in changed.output
    assert outside.get(f"/{BUCKET}/shop.tfstate").json()["outputs"]["size"]["value"] == "large"
    with pytest.raises(FileNotFoundError):
        cloud.read("terraform.tfstate")


def test_a_second_apply_is_refused_while_the_first_holds_the_lock(
    cloud: Sandbox, outside: httpx.Client, initialised: CommandResult
) -> None:
    assert initialised.exit_code == 0, initialised.output
    cloud.run(["rm", "-f", "applying"])
    long = ["bash", "-c", "terraform apply -no-color -auto-approve -var=seconds=6 > long.log 2>&1 & disown"]
    cloud.run(long)
    deadline = time.monotonic() + 60
    while cloud.run(["test", "-e", "applying"]).exit_code != 0:
        assert time.monotonic() < deadline, cloud.run(["cat", "long.log"]).output
        time.sleep(0.1)
    locks = ask(outside, "dynamodb", "DynamoDB_20120810.Scan", {"TableName": TABLE})["Items"]
    assert any("Info" in lock for lock in locks)  # type: ignore[attr-defined]
    second = terraform(cloud, "apply", "-auto-approve", "-lock-timeout=0s")
    assert second.exit_code == 1
    assert "Error acquiring the state lock" in second.output
    while "Apply complete" not in cloud.run(["cat", "long.log"]).output:
        assert time.monotonic() < deadline, cloud.run(["cat", "long.log"]).output
        time.sleep(0.1)
    third = terraform(cloud, "apply", "-auto-approve")
    assert third.exit_code == 0, third.output


def test_a_provider_that_is_not_there_is_missed_at_once_and_by_name(cloud: Sandbox) -> None:
    cloud.run(["mkdir", "-p", "other"])
    cloud.write("other/main.tf", b'resource "random_id" "one" {\n  byte_length = 4\n}\n')
    started = cloud.run(["terraform", "-chdir=other", "init", "-no-color"], timeout=30)
    assert started.exit_code == 1
    assert "hashicorp/random" in started.output


def test_tools_are_ready_like_services_and_have_no_socket(cloud: Sandbox) -> None:
    assert [(service.name, service.state) for service in cloud.status().services] == [
        ("aws", ServiceState.READY),
        ("terraform", ServiceState.READY),
    ]
    with pytest.raises(KeyError):
        cloud.endpoint("terraform")
