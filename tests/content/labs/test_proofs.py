"""Each lab, proven: the solution passes all, the starter nothing, each wrong answer loses exactly its tasks.

Here the solution, the starter and for each task the first wrong answer that loses it; `make labs` proves with every wrong answer,
which takes several minutes a lab, and is run for each change of a lab.
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
    proofs = verify(lab, real_driver(driver_name), seed=1, only=few_cases(lab))
    assert len(proofs) >= 2 + len(lab.tasks) // 2
    assert {proof.case.name: proof.problems for proof in proofs if not proof.holds} == {}
