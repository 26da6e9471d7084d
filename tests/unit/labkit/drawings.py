"""What every drawing of labkit must be: well-formed, without anything from outside, with words for who can't see it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
COORDINATES = ("x", "y", "x1", "y1", "x2", "y2", "width", "height")


def drawing_in(html: str) -> ET.Element:
    """The one drawing in a piece of HTML, checked."""
    found = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(found) == 1
    drawing = ET.fromstring(found[0])
    assert drawing.get("role") == "img"
    assert drawing.get("aria-label")
    assert drawing.findtext(f"{SVG}title")
    assert drawing.findtext(f"{SVG}desc")
    for word in ("<script", "href=", "url(", "@import", "onclick", "<image", "<foreignObject"):
        assert word not in html
    for element in drawing.iter():
        for name in COORDINATES:
            value = element.get(name)
            assert value is None or re.fullmatch(r"-?\d+(\.\d)?", value), (element.tag, name, value)
    return drawing


def words_in(drawing: ET.Element) -> list[str]:
    """The texts that are drawn."""
    return [element.text or "" for element in drawing.iter(f"{SVG}text")]
