"""A platform on a real PostgreSQL, whose databases nobody else has."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reference_impl.shared import database as databases
from reference_impl.shared import postgres as connections
from tests.fixtures import meridian
from tests.fixtures.meridian import Platform, running_platform
from tests.fixtures.postgres import ScratchServer
from tests.unit.reference_impl.conftest import Shop, open_shop

MakeServerShop = Callable[..., Shop]
PATIENCE_SECONDS = 60.0
"""How long whoever waits for somebody else in these tests does so: the machine may stand still for seconds."""
START_SECONDS = 180.0
"""The same for what has to start, or to come back."""


@pytest.fixture(scope="module", autouse=True)
def nobody_gives_up_early() -> Iterator[None]:
    """Who holds a lock may stand still for longer than the product lets others wait for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(databases, "LOCK_SECONDS", PATIENCE_SECONDS)
        patch.setattr(connections, "CONNECT_SECONDS", int(PATIENCE_SECONDS))
        patch.setattr(meridian, "PATIENCE_SECONDS", START_SECONDS)
        yield


@contextmanager
def patient_platform(**settings: str) -> Iterator[Platform]:
    """`running_platform` with these settings, and services that wait for each other for as long as a busy machine takes."""
    with pytest.MonkeyPatch.context() as patch:
        environment = functools.partial(meridian.clean_environment, MERIDIAN_PATIENCE="10", **settings)
        patch.setattr(meridian, "clean_environment", environment)
        patch.setattr(meridian, "PATIENCE_SECONDS", START_SECONDS)
        with running_platform() as made:
            yield made


@pytest.fixture
def make_server_shop(postgres: ScratchServer, tmp_path: Path) -> Iterator[MakeServerShop]:
    """Builds shops on PostgreSQL with the settings a test needs; each has databases of its own."""
    made: list[Shop] = []
    prefix = f"t{secrets.token_hex(4)}"

    def make(**settings: Any) -> Shop:
        number = len(made)
        settings = {
            "data": tmp_path / f"shop-{number}",
            "database_url": f"postgresql://postgres@/?host={postgres.socket_dir}",
            "database_prefix": f"{prefix}_{number}",
            "database_pool": 8,
        } | settings
        made.append(open_shop(**settings))
        return made[-1]

    yield make
    for shop in made:
        shop.close()
    with postgres.connect("postgres") as admin:
        found = admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
        for (name,) in found.fetchall():
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[call-overload]
