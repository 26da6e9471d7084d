"""Links from a question to a line of code land on that line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from portal.content import Content
from portal.features.practice import views
from portal.features.reference.service import source_file
from tests.fixtures import questions

FILE = "reference_impl/services/inventory/reservations.py"


@pytest.mark.parametrize(
    ("written", "anchor"),
    [("", ""), ("#L12", "#line-12"), ("#L12-L20", "#line-12"), ("#line-12", "#line-12"), ("#L012", "#line-12")],
)
def test_a_line_is_named_as_the_page_of_the_file_names_it(
    app: Flask, content: Content, written: str, anchor: str
) -> None:
    asked = questions.question("single")
    links = asked.meta.links.model_copy(update={"code": (FILE + written,), "lab": None, "lesson": None})
    asked = replace(asked, meta=asked.meta.model_copy(update={"links": links}))
    with app.test_request_context():
        (link,) = views.links(asked, content)
    assert link["url"] == f"/code/{FILE}{anchor}"
    if anchor:
        assert f'id="{anchor.removeprefix("#")}"' in source_file(FILE).html
