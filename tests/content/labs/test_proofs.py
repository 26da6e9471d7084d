"""Each lab, proven: the solution passes all, the starter nothing, each wrong answer loses exactly its tasks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from labs.catalogue import CONTENT_ROOT, Catalogue
from labs.verify import verify
from sandboxes.interface import Driver

SLUGS = sorted(
    path.name for path in CONTENT_ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))
)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize(
    "driver_name",
    [pytest.param("local", marks=pytest.mark.postgres), pytest.param("docker", marks=pytest.mark.docker)],
)
def test_a_lab_holds(
    catalogue: Catalogue, real_driver: Callable[[str], Driver], driver_name: str, slug: str
) -> None:
    proofs = verify(catalogue.labs[slug], real_driver(driver_name), seed=1)
    assert {proof.case.name: proof.problems for proof in proofs if not proof.holds} == {}
