"""What every lab of the product must be, found without starting one."""

from __future__ import annotations

import re

import pytest

import roadmap
from labs.build import stale
from labs.catalogue import CONTENT_ROOT, Catalogue

SLUGS = sorted(
    path.name for path in CONTENT_ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))
)


def test_there_are_no_faults(catalogue: Catalogue) -> None:
    assert [str(fault) for fault in catalogue.faults] == []
    assert list(catalogue.labs) == SLUGS
    assert {"never-oversell", "saga-compensation"} <= set(SLUGS)


def test_the_committed_notebooks_are_what_a_fresh_build_gives(catalogue: Catalogue) -> None:
    assert stale(catalogue.labs.values()) == [], "run `python -m labs build`"


@pytest.mark.parametrize("slug", SLUGS)
def test_points_of_a_lab_add_up_to_100(catalogue: Catalogue, slug: str) -> None:
    assert catalogue.labs[slug].max_score == 100


@pytest.mark.parametrize("slug", SLUGS)
def test_tasks_prove_topics_that_the_roadmap_has(catalogue: Catalogue, slug: str) -> None:
    topics = roadmap.load().topics
    for task in catalogue.labs[slug].tasks:
        assert set(task.proves) <= set(topics), task.id


@pytest.mark.parametrize("slug", SLUGS)
def test_lessons_that_a_lab_links_to_are_there(catalogue: Catalogue, slug: str) -> None:
    lessons = roadmap.load().lessons
    text = "\n".join(cell.source for cell in catalogue.labs[slug].source.cells if cell.kind == "markdown")
    links = re.findall(r"\]\(/lessons/([^)#]+)", text)
    assert links
    assert set(links) <= set(lessons)


@pytest.mark.parametrize("slug", SLUGS)
def test_the_learners_notebook_gives_no_solution_away(catalogue: Catalogue, slug: str) -> None:
    source = catalogue.labs[slug].source
    for cell in source.learner()["cells"]:
        task = cell["metadata"].get("task")
        if task:
            assert (
                f'raise NotImplementedError("task {task}")' in cell["source"]
                or f'panic("not implemented: task {task}")' in cell["source"]
            )
            assert "SOLUTION" not in cell["source"]
