"""Each lab, proven: the solution passes all, the starter nothing, each wrong answer loses exactly its tasks.

All of it on Docker; on the local driver what shows that it grades alike. `python -m labs verify --driver local` proves all there.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from labs.catalogue import CONTENT_ROOT, Catalogue
from labs.verify import few_cases, verify
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
    lab = catalogue.labs[slug]
    only = few_cases(lab) if driver_name == "local" else None
    proofs = verify(lab, real_driver(driver_name), seed=1, only=only)
    assert len(proofs) >= 2 + len(lab.tasks) // 2
    assert {proof.case.name: proof.problems for proof in proofs if not proof.holds} == {}
