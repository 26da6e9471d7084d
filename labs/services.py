"""The variables by which a notebook finds its lab's services, made from a sandbox's endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from sandboxes.interface import Endpoint, Sandbox


def environment_of(sandbox: Sandbox, services: Iterable[str]) -> dict[str, str]:
    """The same variables that kernels inside the sandbox get, for a kernel outside."""
    environment: dict[str, str] = {}
    for name in services:
        with suppress(KeyError):  # a tool has no endpoint, and needs none
            environment |= _variables(sandbox.endpoint(name))
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
    if endpoint.service == "redis":
        address, db = str(endpoint.socket), endpoint.facts["db"]
        return {"REDIS_URL": f"unix://{address}?db={db}", "REDIS_SOCKET": address}
    prefix = endpoint.service.upper().replace("-", "_")
    return {
        f"{prefix}_SOCKET": str(endpoint.socket),
        f"{prefix}_URL": endpoint.facts.get("base_url", f"http://{endpoint.service}"),
    }
