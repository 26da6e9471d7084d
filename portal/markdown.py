"""Markdown to HTML that is safe to show.

Authors are not trusted with script (`render`). Learners are trusted with less (`render_foreign`): whatever they
write costs a bounded time, loads nothing, and can't be taken for a part of the page.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import lru_cache

import markdown as markdown_library
import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from question_bank.tangle import tangled

_ATTRIBUTES = {
    "*": {"id", "class"},
    "a": {"href", "title", "id", "class"},
    "td": {"align", "colspan", "rowspan"},
    "th": {"align", "colspan", "rowspan", "scope"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
}
_TAGS = nh3.ALLOWED_TAGS | {"section", "figure", "figcaption", "input", "details", "summary"}
_MERMAID = re.compile(r"^(?P<fence>`{3,})mermaid[^\n]*\n(?P<body>.*?)\n(?P=fence)[ \t]*$", re.S | re.M)
_FENCE_INFO = re.compile(r"^(`{3,})([a-z0-9+_-]+)[ \t]+[^\n`]+$", re.M)

_FOREIGN_TAGS = (
    {"p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
    | {"h3", "h4", "h5", "h6"}
    | {"table", "thead", "tbody", "tr", "th", "td"}
)
_FOREIGN_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}


_TANGLED = (
    '<p class="muted">This text has more brackets, tags, headings or lists in lists than can be laid out. '
    "It stands here as it was written.</p>"
)


@dataclass(frozen=True)
class Heading:
    """One entry of a table of contents."""

    id: str
    title: str
    level: int


@dataclass(frozen=True)
class Rendered:
    """Safe HTML and the headings of level two and three in it."""

    html: str
    headings: tuple[Heading, ...]


@lru_cache(maxsize=1024)
def render(text: str) -> Rendered:
    """Render Markdown: fenced code with highlighting, tables, admonitions, Mermaid diagrams as `pre.mermaid`.

    What would take very long to lay out is shown as it was written, with a word on why.
    """
    if tangled(text):
        return Rendered(html=f"{_TANGLED}<pre>{html.escape(text)}</pre>", headings=())
    converter = markdown_library.Markdown(
        extensions=[
            "fenced_code",
            "codehilite",
            "tables",
            "admonition",
            "sane_lists",
            "toc",
            "md_in_html",
            "attr_list",
        ],
        extension_configs={
            "codehilite": {"guess_lang": False, "css_class": "highlight"},
            "toc": {"toc_depth": "2-3", "permalink": False},
        },
        output_format="html",
    )
    # Words after a fence's language are notes to our own tools (`sql noexec`), not to the reader.
    prepared = _FENCE_INFO.sub(r"\1\2", _MERMAID.sub(_mermaid_block, text))
    raw = converter.convert(prepared)
    headings = tuple(_headings(getattr(converter, "toc_tokens", [])))
    return Rendered(html=sanitise(raw), headings=headings)


@lru_cache(maxsize=4096)
def render_inline(text: str) -> str:
    """Render a short text, such as a question's option; a single paragraph loses its wrapper."""
    rendered = render(text).html.strip()
    if rendered.startswith("<p>") and rendered.endswith("</p>") and rendered.count("<p>") == 1:
        return rendered[3:-4]
    return rendered


@lru_cache(maxsize=128)
def render_foreign(text: str) -> str:
    """Render what a learner wrote: CommonMark with tables, HTML as text, no images, headings from level three on.

    The parser is another one than the authors': it takes a fraction of a second for any 20,000 characters, where the
    other's inline patterns take minutes for as many opening brackets.
    """
    tokens = _foreign_parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        for inline in token.children or ():
            if inline.type == "image":
                _into_link(inline)
    raw = _foreign_parser.renderer.render(tokens, _foreign_parser.options, {})
    return nh3.clean(
        raw,
        tags=_FOREIGN_TAGS,
        attributes=_FOREIGN_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


_foreign_parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _into_link(image: Token) -> None:
    """An image of somebody else's server would tell it who reads: its address and its text stand for it."""
    words = f"{image.content or 'image'} ({image.attrGet('src') or ''})"
    image.type, image.tag, image.content, image.children = "text", "", words, None


def sanitise(raw: str) -> str:
    """HTML with nothing in it that can act: no script, no style, no event handlers, no foreign schemes."""
    return nh3.clean(
        raw,
        tags=_TAGS - {"input"},
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto", "data"},
        attribute_filter=_only_image_data,
        link_rel="noopener noreferrer",
    )


def _only_image_data(element: str, attribute: str, value: str) -> str | None:
    if value.strip().lower().startswith("data:"):
        is_image = element == "img" and attribute == "src"
        return value if is_image and re.match(r"data:image/(png|jpeg|gif|webp);base64,", value) else None
    return value


def _mermaid_block(match: re.Match[str]) -> str:
    return f'\n<pre class="mermaid">{html.escape(match["body"], quote=False)}</pre>\n'


def _headings(tokens: list[dict]) -> list[Heading]:
    found: list[Heading] = []
    for token in tokens:
        found.append(Heading(token["id"], html.unescape(token["name"]), token["level"]))
        found.extend(_headings(token.get("children", [])))
    return found
