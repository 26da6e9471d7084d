"""Jupyter's pages and its front end."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandboxes.gateway import bridge, frontend
from sandboxes.gateway.frontend import Frontend, is_page

PORTAL = "http://localhost:8000"
BASE = "/s/box1/tttttttttttttttttttt/"
MAIN = "main.a7084e35c3230587.js"
PAGE = (
    f'<!doctype html><html><head><meta charset="utf-8"/>'
    f'<script defer="defer" src="{BASE}static/notebook/{MAIN}?v=1"></script></head>'
    f'<body><script type="application/json">{{"fullStaticUrl": "{BASE}static/notebook", "baseUrl": "{BASE}"}}</script>'
    "</body></html>"
).encode()
HTML = {"Content-Type": "text/html; charset=UTF-8"}


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / MAIN).write_text("1")
    return {"notebook": tmp_path}


def test_the_bridge_is_the_first_script_and_knows_the_portal(installed: dict[str, Path]) -> None:
    page = Frontend(PORTAL, installed).rewrite(PAGE, BASE).decode()
    assert page.index("/bridge.js") < page.index(MAIN)
    assert f'data-portal-origin="{PORTAL}"' in page
    assert "data-tells" not in page


def test_a_page_without_a_head_is_left_alone() -> None:
    assert Frontend(PORTAL, {}).rewrite(b"<p>bare</p>", BASE) == b"<p>bare</p>"


def test_assets_that_we_have_too_come_from_an_address_that_stays(installed: dict[str, Path]) -> None:
    page = Frontend(PORTAL, installed).rewrite(PAGE, BASE).decode()
    assert f'src="/jupyter/notebook/{MAIN}?v=1"' in page
    assert '"fullStaticUrl": "/jupyter/notebook"' in page
    assert f'"baseUrl": "{BASE}"' in page


def test_assets_of_another_version_come_from_the_sandbox(tmp_path: Path) -> None:
    page = Frontend(PORTAL, {"notebook": tmp_path}).rewrite(PAGE, BASE).decode()
    assert f'src="{BASE}static/notebook/{MAIN}?v=1"' in page


def test_the_installed_front_ends_are_found() -> None:
    assert set(frontend.installed()) == {"notebook", "lab"}


def test_only_jupyters_own_pages_are_rewritten() -> None:
    assert is_page("GET", "/notebooks/a.ipynb?x", 200, HTML)
    assert is_page("GET", "/lab", 200, HTML)
    assert not is_page("GET", "/files/report.html", 200, HTML)
    assert not is_page("GET", "/labyrinth", 200, HTML)
    assert not is_page("POST", "/lab", 200, HTML)
    assert not is_page("GET", "/lab", 404, HTML)
    assert not is_page("GET", "/lab", 200, {"Content-Type": "application/json"})
    assert not is_page("GET", "/lab", 200, {**HTML, "Content-Encoding": "gzip"})


def test_a_tag_cannot_be_broken_out_of() -> None:
    assert '"x' not in bridge.tag('http://a"x', tells='"x').replace("&quot;x", "")


def test_the_bridges_address_changes_with_its_content() -> None:
    assert bridge.VERSION in bridge.tag(PORTAL)
