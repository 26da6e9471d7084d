"""Each lab, proven.

`make labs` grades everything that proves a lab, on both drivers, and writes it down in the lab's `proof.json`; what is written
there has to fit what is graded as it is, so that no answer and no check is changed without being proven again. What changes with
the engine and not with the lab is seen by one grading on one of the drivers: of a notebook with about half of the tasks answered
wrongly, and the others right.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from labs import proof
from labs.catalogue import CONTENT_ROOT, Catalogue
from labs.verify import combined, verify_case
from sandboxes.drivers import DRIVERS
from sandboxes.interface import Driver

SLUGS = sorted(
    path.name for path in CONTENT_ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))
)


@pytest.mark.parametrize("slug", SLUGS)
def test_a_lab_was_proven_as_it_is(catalogue: Catalogue, slug: str) -> None:
    assert proof.problems(catalogue.labs[slug], DRIVERS) == []


@pytest.mark.timeout(1800)
@pytest.mark.one_driver
@pytest.mark.parametrize(
    ("driver_name", "slug"),
    [pytest.param("docker", slug, marks=pytest.mark.docker) for slug in SLUGS]
    # The image of Go holds what is compiled once; on this machine it would be compiled for the test.
    + [pytest.param("local", slug, marks=pytest.mark.postgres) for slug in SLUGS if not slug.startswith("go-")],
)
def test_a_lab_holds(
    catalogue: Catalogue, real_driver: Callable[[str], Driver], driver_name: str, slug: str
) -> None:
    lab = catalogue.labs[slug]
    case = combined(lab)
    assert case is not None, "no task of this lab has a wrong answer that loses just it"
    assert verify_case(lab, case, real_driver(driver_name), seed=1).problems == []
