"""Terraform as a tool: usable without the internet, and with its state in the sandbox's own AWS when the lab asks for that too.

Nothing runs by itself: the learner runs `terraform` in the workspace.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from pathlib import Path

from sandboxes.services.aws import SOCKET as AWS_SOCKET
from sandboxes.services.aws import Aws, authorization, region_of
from sandboxes.services.base import NotReady, ServiceFailed, Tool, find_program, open_to_the_learner, run_tool
from sandboxes.unix_http import UnixConnection

BUCKET = "terraform-state"
TABLE = "terraform-locks"
BACKEND_FILE = "backend.hcl"
CLI_FILE = "terraform.rc"
PROVIDERS = "/opt/terraform/providers"
"""Where providers would be, in an image that brings some."""
TOOL_SECONDS = 30.0
REQUEST_SECONDS = 10.0
CLI_CONFIGURATION = f"""disable_checkpoint = true
provider_installation {{
  filesystem_mirror {{
    path = "{PROVIDERS}"
  }}
}}
"""
"""The command's own settings: nothing is looked for on the internet."""
BACKEND_CONFIGURATION = f"""bucket                      = "{BUCKET}"
dynamodb_table              = "{TABLE}"
use_path_style              = true
skip_credentials_validation = true
skip_metadata_api_check     = true
skip_region_validation      = true
skip_requesting_account_id  = true
"""
"""What a lab's `backend "s3"` leaves open; address, region and credentials are in the variables of the service `aws`."""

LACKING = "Terraform is not installed: put the program terraform on PATH, or let the lab use the image cloud."


class Terraform(Tool):
    """`terraform init -backend-config="$TERRAFORM_BACKEND"` keeps the state in S3 and the lock in DynamoDB."""

    name = "terraform"
    uses = (Aws.name,)

    @property
    def _with_aws(self) -> bool:
        return Aws.name in self.place.services

    @classmethod
    def missing(cls) -> str | None:
        return None if find_program(cls.name) else LACKING

    def environment(self) -> dict[str, str]:
        variables = {
            "TF_CLI_CONFIG_FILE": str(self.place.data_dir / CLI_FILE),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
        }
        if self._with_aws:
            variables |= {
                "TERRAFORM_BACKEND": str(self.place.data_dir / BACKEND_FILE),
                "TERRAFORM_STATE_BUCKET": BUCKET,
                "TERRAFORM_LOCK_TABLE": TABLE,
            }
        return variables

    def prepare(self) -> None:
        open_to_the_learner(self.place.data_dir.parent, self.place.data_dir)
        self._write(CLI_FILE, CLI_CONFIGURATION)
        if self._with_aws:
            self._write(BACKEND_FILE, BACKEND_CONFIGURATION)

    def probe(self) -> None:
        program = find_program(self.name)
        if program is None:
            raise ServiceFailed(LACKING)
        run_tool(
            [program, "version"],
            {
                "PATH": os.environ.get("PATH", os.defpath),
                **self.environment(),
                "HOME": str(self.place.data_dir),
            },
            TOOL_SECONDS,
        )
        if self._with_aws:
            make_backend(self.place.run_dir / AWS_SOCKET, region_of(self.place.services[Aws.name]))

    def _write(self, name: str, text: str) -> None:
        file = self.place.data_dir / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o644)


def make_backend(socket: Path, region: str) -> None:
    """Make the bucket and the table of locks in the sandbox's AWS, when they are not there. Raises NotReady."""
    location = {"LocationConstraint": region} if region != "us-east-1" else {}
    body = "".join(f"<{key}>{value}</{key}>" for key, value in location.items())
    namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    bucket = f"<CreateBucketConfiguration {namespace}>{body}</CreateBucketConfiguration>" if body else ""
    table = {
        "TableName": TABLE,
        "KeySchema": [{"AttributeName": "LockID", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "LockID", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    create = {"X-Amz-Target": "DynamoDB_20120810.CreateTable", "Content-Type": "application/x-amz-json-1.0"}
    _ask(socket, "PUT", f"/{BUCKET}", bucket, {"Authorization": authorization("s3", region)}, "BucketAlready")
    _ask(
        socket,
        "POST",
        "/",
        json.dumps(table),
        create | {"Authorization": authorization("dynamodb", region)},
        "ResourceInUse",
    )


def _ask(socket: Path, method: str, path: str, body: str, headers: Mapping[str, str], fine: str) -> None:
    """One request; an error whose text contains `fine` says that the thing is there already."""
    connection = UnixConnection(str(socket), timeout=REQUEST_SECONDS)
    try:
        connection.request(method, path, body.encode(), dict(headers))
        answer = connection.getresponse()
        said = answer.read(100_000).decode("utf-8", "replace")
        if answer.status >= 300 and fine not in said:
            raise NotReady(f"its state's place could not be made in AWS: {answer.status} {said[:300]}")
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"AWS, where its state is kept, does not answer: {error}") from error
    finally:
        connection.close()
