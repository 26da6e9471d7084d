"""What texts link to is there."""

from __future__ import annotations

import re

from portal.content import Content

LINK = re.compile(r"\]\(/(lessons|labs|roadmap/modules|roadmap/tracks)/([a-z0-9-]+)[^)]*\)")


def test_every_link_in_a_lab_or_a_lesson_leads_somewhere(content: Content) -> None:
    known = {
        "lessons": content.roadmap.lessons.keys(),
        "labs": content.labs.labs.keys(),
        "roadmap/modules": content.roadmap.modules.keys(),
        "roadmap/tracks": content.roadmap.tracks.keys(),
    }
    texts = {f"lesson {lesson.id}": lesson.body for lesson in content.roadmap.lessons.values()}
    for lab in content.labs.labs.values():
        texts[f"lab {lab.id}"] = (lab.path / "lab.md").read_text()
    found = [(name, kind, target) for name, text in texts.items() for kind, target in LINK.findall(text)]
    assert len(found) > 10
    assert [(name, kind, target) for name, kind, target in found if target not in known[kind]] == []


def test_content_has_no_faults(content: Content) -> None:
    assert content.faults == []


def test_every_topic_that_a_lab_or_a_question_names_is_there(content: Content) -> None:
    named = set(content.proofs_by_topic) | set(content.questions_by_topic)
    assert named <= content.roadmap.topics.keys()


def test_every_module_has_a_lesson_and_ten_questions(content: Content) -> None:
    counts = content.bank.modules()
    for module in content.roadmap.modules.values():
        assert module.lessons, module.id
        assert counts[module.id] >= 10, module.id
