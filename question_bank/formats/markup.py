"""Between the HTML of other systems and the Markdown of question files."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

import markdown
import nh3
from bs4 import BeautifulSoup
from markdownify import MarkdownConverter

from question_bank.fences import fenced
from question_bank.items import FenceTracker
from question_bank.tangle import tangled

_MATH = (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"))
MAX_HTML = 60_000
"""Characters of one text; what a question may hold is far less."""
_MAX_DEPTH = 100
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})\b[^<>]*>")
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905
_SCRIPT = re.compile(r"<script[\s>/]", re.IGNORECASE)
_DROPPED = {"script", "style", "head", "title", "template", "noscript", "svg", "canvas", "math"}
_MEDIA = {"img": "an image", "audio": "a sound", "video": "a film", "iframe": "an embedded page"}
_MEDIA.update(object="an embedded object", embed="an embedded object")
_DRAWN = (("<svg", "a drawing"), ("<canvas", "a drawing"), ("<math", "a formula in MathML"))
_KEPT = (nh3.ALLOWED_TAGS | set(_MEDIA)) - _DROPPED
_KEPT_ATTRIBUTES = {
    "a": {"href", "title"},
    "pre": {"class"},
    "code": {"class"},
    "img": {"src", "alt", "title"},
    "object": {"data", "title"},
    **{name: {"src", "title"} for name in ("audio", "video", "iframe", "embed")},
}
_SCHEMES = {"http", "https", "mailto", "data"}


@dataclass(frozen=True, slots=True)
class Taken:
    """A text as Markdown, and what did not come along."""

    text: str
    lost: tuple[str, ...] = ()
    """Sentences."""


class _Converter(MarkdownConverter):
    """Code blocks with their language; what Markdown has no sign for becomes what comes closest."""

    def escape(self, text: str, parent_tags: object) -> str:
        return _entities(super().escape(text, parent_tags))  # type: ignore[misc]

    def convert_pre(self, el: object, text: str, parent_tags: object) -> str:
        """A fence that the code doesn't hold; the library's is always three signs long."""
        block = fenced(text.strip("\n"), _language(el))
        return f"\n\n{block}\n\n" if text else ""

    def convert_sub(self, el: object, text: str, parent_tags: object) -> str:
        return f"<sub>{text}</sub>" if text else ""

    def convert_sup(self, el: object, text: str, parent_tags: object) -> str:
        return f"<sup>{text}</sup>" if text else ""


def from_html(source: str) -> Taken:
    """HTML as Markdown. Scripts, media and styling are left out; the first two are named in `lost`."""
    lost: list[str] = []
    if len(source) > MAX_HTML:
        source = source[:MAX_HTML]
        lost.append(f"The text was cut after {MAX_HTML:,} characters.")
    lost += ["It has a script, which was left out."] if _SCRIPT.search(source) else []
    lost += [f"It has {what}, which can't be stored." for mark, what in _DRAWN if mark in source.lower()]
    # What comes back is well-formed, so that nothing behind it takes long over what is not.
    clean = nh3.clean(
        source,
        tags=_KEPT,
        attributes=_KEPT_ATTRIBUTES,
        clean_content_tags=_DROPPED,
        link_rel=None,
        url_schemes=_SCHEMES,
    )
    if _depth(clean) > _MAX_DEPTH:
        lost.append(f"Its markup is nested more than {_MAX_DEPTH} deep: the words alone were kept.")
        clean = nh3.clean(source, tags=set(), clean_content_tags=_DROPPED)
    soup = BeautifulSoup(clean, "html.parser")
    for name, what in _MEDIA.items():
        for element in soup.find_all(name):
            described = str(element.get("alt") or element.get("title") or "").strip()
            source_name = str(element.get("src") or element.get("data") or "").rsplit("/", 1)[-1][:60]
            lost.append(f"It has {what}{f' `{source_name}`' if source_name else ''}, which can't be stored.")
            element.replace_with(f"[{described or what}]")
    text = _Converter(
        heading_style="ATX",
        bullets="-",
        escape_misc=False,
        newline_style="SPACES",
    ).convert_soup(soup)
    text = text.replace("\xa0", " ")
    text = _tidied(text)
    if any(a in text and b in text for a, b in _MATH):
        lost.append("It has formulae in TeX, which stay as they are written.")
    return Taken(_demoted(text), tuple(dict.fromkeys(lost)))


def to_html(text: str) -> str:
    """Markdown as harmless HTML without a wrapper; the single paragraph of a short text stays a paragraph."""
    if tangled(text):
        made = f"<pre>{html.escape(text)}</pre>"
    else:
        made = markdown.markdown(text, extensions=["fenced_code", "tables", "sane_lists"])
    return nh3.clean(made, tags=nh3.ALLOWED_TAGS, attributes={**nh3.ALLOWED_ATTRIBUTES, "code": {"class"}})


def to_plain(text: str) -> str:
    """The words of a Markdown text."""
    return BeautifulSoup(to_html(text), "html.parser").get_text().strip()


def from_plain(text: str) -> str:
    """Plain text as Markdown that shows the same: what has a meaning in Markdown is escaped."""
    escaped = _entities(re.sub(r"([\\`*_\[\]])", r"\\\1", "\n".join(text.splitlines())))
    escaped = re.sub(r"^([ \t]*)(#{1,6} |>|[-+] |-{3,})", r"\1\\\2", escaped, flags=re.MULTILINE)
    escaped = re.sub(r"^([ \t]*)([=~])", lambda m: f"{m[1]}&#{ord(m[2])};", escaped, flags=re.MULTILINE)
    return re.sub(r"^([ \t]*\d{1,9})([.)] )", r"\1\\\2", escaped, flags=re.MULTILINE)


def _tidied(text: str) -> str:
    """Without runs of empty lines, and without spaces at ends of lines but the two that break one; code stays."""
    fence = FenceTracker()
    lines: list[str] = []
    for number, line in enumerate(text.strip().split("\n")):
        if fence.feed(number, line):
            lines.append(line)
            continue
        if not line.strip():
            lines[-1:] = [lines[-1].rstrip()] if lines else []
            if lines and lines[-1]:
                lines.append("")
            continue
        lines.append(line.rstrip() + ("  " if line.endswith("  ") else ""))
    return "\n".join(lines).strip()


def _entities(text: str) -> str:
    """The signs that would begin a tag or an entity, written so that they show as they are."""
    return re.sub(r"&(?=#?\w+;)", "&amp;", text).replace("<", "&lt;")


def _demoted(text: str) -> str:
    """Headings of the first two levels as those of the third, which questions may have."""
    fence = FenceTracker()
    return "\n".join(
        line if fence.feed(number, line) else re.sub(r"^#{1,2} ", "### ", line)
        for number, line in enumerate(text.split("\n"))
    )


def _language(pre: object) -> str:
    classes = [*pre.get("class", ()), *(c for code in pre.find_all("code") for c in code.get("class", ()))]  # type: ignore[attr-defined]
    for name in classes:
        for prefix in ("language-", "lang-"):
            if name.startswith(prefix) and re.fullmatch(r"[A-Za-z0-9_+#.-]{1,30}", name.removeprefix(prefix)):
                return str(name.removeprefix(prefix))
    return ""


def _depth(source: str) -> int:
    """How deep tags are nested, at the most: a bound, whatever a parser makes of it."""
    deepest = depth = 0
    for match in _TAG.finditer(source):
        if match[2].casefold() in _VOID or match[0].endswith("/>"):
            continue
        depth = max(0, depth - 1) if match[1] else depth + 1
        deepest = max(deepest, depth)
    return deepest
