"""The links of the built-in bank: every lab, lesson, file and line that a question names is there."""

from __future__ import annotations

from pathlib import Path

import roadmap
from labs import catalogue as lab_catalogue
from portal.features.reference.service import source_file
from question_bank import Known, load
from question_bank.rules.shape import links

ROOT = Path(__file__).parents[3]


def test_every_link_leads_to_something():
    catalogue = roadmap.load()
    known = Known(
        topics=frozenset(catalogue.topics),
        modules=frozenset(catalogue.modules),
        lessons=frozenset(catalogue.lessons),
        labs=frozenset(lab_catalogue.load().labs),
        code_root=ROOT,
    )
    questions = load().questions.values()
    assert [str(fault) for question in questions for fault in links(question, known)] == []


def test_every_linked_file_can_be_read_in_the_portal():
    for path in {
        link.partition("#")[0] for question in load().questions.values() for link in question.links.code
    }:
        assert source_file(path).lines > 5, path


def test_half_of_the_questions_link_to_a_lab_or_to_code():
    questions = load().questions.values()
    linked = [question for question in questions if question.links.lab or question.links.code]
    assert len(linked) * 2 >= len(questions), f"{len(linked)} of {len(questions)}"
