"""The variables by which a notebook finds its lab's services, made from a sandbox's endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from sandboxes.interface import Endpoint, Sandbox

_ASKED = {
    "redis": ("REDIS_",),
    "kafka": ("KAFKA_",),
    "prometheus": ("PROMETHEUS_",),
    "aws": ("AWS_",),
    "terraform": ("TF_", "TERRAFORM_", "CHECKPOINT_DISABLE"),
    "envoy": ("ENVOY_",),
    "go": ("GO", "CGO_ENABLED"),
}
"""Services that a kernel finds by variables which only the sandbox knows, such as ports, and how these variables begin."""
ASK_SECONDS = 20.0


def environment_of(sandbox: Sandbox, services: Iterable[str]) -> dict[str, str]:
    """The same variables that kernels inside the sandbox get, for a kernel outside, on the same machine. Raises SandboxError."""
    names = list(services)
    environment: dict[str, str] = {}
    for name in names:
        with suppress(KeyError):  # a tool has no endpoint, and needs none
            environment |= _variables(sandbox.endpoint(name))
    prefixes = tuple(prefix for name in names for prefix in _ASKED.get(name, ()))
    if prefixes:
        said = sandbox.run(["env", "-0"], timeout=ASK_SECONDS)
        pairs = (entry.partition("=") for entry in said.output.split("\0"))
        environment |= {name: value for name, _, value in pairs if name.startswith(prefixes)}
    return environment


def _variables(endpoint: Endpoint) -> dict[str, str]:
    if endpoint.service == "postgres":
        folder, user, database = str(endpoint.socket), endpoint.facts["user"], endpoint.facts["dbname"]
        return {
            "DATABASE_URL": f"postgresql://{user}@/{database}?host={folder}",
            "PGHOST": folder,
            "PGUSER": user,
            "PGDATABASE": database,
        }
    if endpoint.service in _ASKED:
        return {}
    prefix = endpoint.service.upper().replace("-", "_")
    return {
        f"{prefix}_SOCKET": str(endpoint.socket),
        f"{prefix}_URL": endpoint.facts.get("base_url", f"http://{endpoint.service}"),
    }
