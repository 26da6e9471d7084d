"""The table that a learner sees after a check."""

from __future__ import annotations

import pytest
from labkit.report import Report

DOCUMENT = {
    "score": 60,
    "max_score": 100,
    "seed": 7,
    "notebook": {"status": "timed_out", "message": "Cell 3 took longer than 30 s."},
    "tasks": [
        {"id": "a", "title": "Add", "points": 60, "earned": 60, "status": "passed", "message": "It adds."},
        {
            "id": "b",
            "title": "Double",
            "points": 40,
            "earned": 0,
            "status": "failed",
            "message": "<script>x</script>\nno",
        },
    ],
}


def test_text_has_every_task_its_points_and_its_message() -> None:
    assert Report(DOCUMENT).text().splitlines() == [
        "The notebook: Cell 3 took longer than 30 s.",
        "✓ Add (60/60)",
        "    It adds.",
        "✗ Double (0/40)",
        "    <script>x</script>",
        "    no",
        "60 of 100 points (seed 7)",
    ]


def test_html_escapes_what_the_learners_code_said() -> None:
    html = Report(DOCUMENT).html()
    assert "<script>" not in html
    assert "&lt;script&gt;x&lt;/script&gt;<br>no" in html
    assert "Cell 3 took longer" in html


def test_without_a_notebook_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Report(DOCUMENT).show()
    assert "60 of 100 points" in capsys.readouterr().out
