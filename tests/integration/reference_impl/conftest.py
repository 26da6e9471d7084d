"""A platform on a real PostgreSQL, whose databases nobody else has."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.postgres import ScratchServer
from tests.unit.reference_impl.conftest import Shop, open_shop

MakeServerShop = Callable[..., Shop]


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
