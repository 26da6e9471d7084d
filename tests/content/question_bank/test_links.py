"""The links of the built-in bank: every lab, lesson, file and line that a question names is there."""

from __future__ import annotations

from pathlib import Path

import roadmap
from labs import catalogue as lab_catalogue
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
