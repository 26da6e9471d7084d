"""Between the Markdown of question files and the XHTML of items, gaps included.

QTI takes a part of XHTML, and is strict about what may stand where. Whatever else an author's markup has is taken
apart: its words stay.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable, Iterator
from copy import copy
from xml.etree import ElementTree

from bs4 import BeautifulSoup, Tag

from question_bank.formats import markup
from question_bank.formats.markup import Taken
from question_bank.formats.qti_tree import Element, Part, add, make, parts
from question_bank.kinds.cloze import fill_gaps

_BLOCK = frozenset("p pre ul ol dl table div blockquote h1 h2 h3 h4 h5 h6 hr address".split())  # noqa: SIM905
_INLINE = frozenset(
    "a abbr acronym b big br cite code dfn em i img kbd q samp small span strong sub sup tt var".split()  # noqa: SIM905
)
_NESTED = frozenset("li dt dd thead tbody tfoot tr td th caption".split())  # noqa: SIM905
_SAME_AS = {"del": "span", "s": "span", "strike": "span", "ins": "span", "u": "span", "mark": "span"}
_SAME_AS |= {
    "article": "div",
    "section": "div",
    "figure": "div",
    "details": "div",
    "header": "div",
    "footer": "div",
}
_SAME_AS |= {"figcaption": "p", "summary": "p", "center": "div"}
_ATTRIBUTES = {"a": ("href", "title"), "img": ("src", "alt"), "code": ("class",), "td": ("colspan", "rowspan")}
_ATTRIBUTES["th"] = _ATTRIBUTES["td"]
_ONLY_INLINE = frozenset("p pre h1 h2 h3 h4 h5 h6 dt caption".split()) | _INLINE  # noqa: SIM905
_OUTSIDE = frozenset(
    "rubricBlock feedbackInline feedbackBlock templateInline templateBlock printedVariable stylesheet".split()  # noqa: SIM905
)
"""What a text in an item holds besides its words."""
_INDENTED = re.compile(r"[ \t\r]*\n\s*")
_ALIGNED = re.compile(r"^\s*\|?(\s*:?-+:?\s*\|)*\s*(:-+|-+:)\s*(\||$)", re.MULTILINE)


def to_blocks(text: str) -> list[Element]:
    """Markdown as block elements."""
    soup = BeautifulSoup(markup.to_html(text), "html.parser")
    return list(_blocks(_converted(soup, inline=False)))


def changes(text: str) -> Iterator[str]:
    """What of a Markdown text doesn't survive in QTI, as sentences."""
    if "\t" in text:
        yield "Tabs become spaces."
    if _ALIGNED.search(text):
        yield "The alignment of table columns stays behind."
    soup = BeautifulSoup(markup.to_html(text), "html.parser")
    strange = {tag.name for tag in soup.find_all(True)} - _BLOCK - _INLINE - _NESTED - {"dd"}
    if strange:
        yield f"Markup that QTI doesn't have stays behind: {', '.join(sorted(strange))}."


def with_gaps(text: str, interaction: Callable[[str], list[Part]]) -> list[Element]:
    """Markdown with `[[?name]]` marks as block elements, with what `interaction` gives in place of each mark."""
    sign = "gap" + hashlib.sha256(text.encode()).hexdigest()[:12]
    names: list[str] = []

    def token(name: str) -> str:
        names.append(name)
        return f"{sign}n{len(names) - 1}e"

    blocks = to_blocks(fill_gaps(text, token))
    pattern = re.compile(rf"{sign}n(\d+)e")
    placed: set[str] = set()

    def split(piece: str) -> list[Part]:
        found: list[Part] = []
        for index, part in enumerate(pattern.split(piece)):
            if index % 2:
                placed.add(names[int(part)])
                found.extend(interaction(names[int(part)]))
            elif part:
                found.append(part)
        return found

    made = [_with_split_texts(block, split) for block in blocks]
    for name in names:
        if name not in placed:  # it stood where no element can, such as in a link's address
            made.append(make("p", None, f"{name}: ", *interaction(name)))
    return made


def from_element(element: Element | None, replace: Callable[[Element], str | None] | None = None) -> Taken:
    """The content of an element as Markdown. `replace` may give a text for an element; it must survive Markdown."""
    if element is None:
        return Taken("")
    taken = markup.from_html("".join(_as_html(element, replace, element.tag == "pre")))
    if next(element.iter("math"), None) is not None:
        return Taken(taken.text, (*taken.lost, "A formula is kept as the words and signs in it: check it."))
    return taken


def _with_split_texts(element: Element, split: Callable[[str], list[Part]]) -> Element:
    made = make(element.tag, dict(element.attrib))
    for part in parts(element):
        for piece in split(part) if isinstance(part, str) else [_with_split_texts(part, split)]:
            add(made, piece)
    return made


def _converted(tag: Tag, *, inline: bool) -> Iterator[Part]:
    """The parts of a tag of HTML, as far as QTI has them; `inline` says that no block may come."""
    for child in tag.children:
        if not isinstance(child, Tag):
            if type(child).__name__ == "NavigableString":
                yield str(child)
            continue
        name = _SAME_AS.get(child.name, child.name)
        block = name in _BLOCK
        if (name not in _INLINE and name not in _NESTED and not block) or (
            inline and (block or name in _NESTED)
        ):
            yield from _converted(child, inline=inline)
            if block:
                yield " "
            continue
        if (name == "a" and not child.get("href")) or (name == "img" and not child.get("src")):
            yield from _converted(child, inline=inline)
            continue
        if name == "p" and any(isinstance(inner, Tag) and inner.name in _BLOCK for inner in child.descendants):
            name = "div"
        if name == "a" and child.find_parent("a"):
            name = "span"
        yield _element(name, child, inline=inline or name in _ONLY_INLINE)


def _element(name: str, tag: Tag, *, inline: bool) -> Element:
    attributes = {}
    for key in _ATTRIBUTES.get(name, ()):
        value = tag.get(key)
        if value:
            attributes[key] = " ".join(value) if isinstance(value, list) else str(value)
    if name == "img":
        attributes.setdefault("alt", "")
    content = list(_converted(tag, inline=inline))
    if name in ("ul", "ol"):
        content = [part for part in content if not isinstance(part, str) and part.tag == "li"] or [make("li")]
    elif name in ("table", "thead", "tbody", "tfoot", "tr", "dl"):
        content = [part for part in content if not isinstance(part, str)]
        if name == "table":
            content = _table(content)
    elif name == "blockquote":
        content = list(_blocks(iter(content)))
    elif name in ("br", "img", "hr"):
        content = []
    return make(name, attributes, *content)


def _table(content: list[Element]) -> list[Element]:
    rows = [part for part in content if part.tag == "tr"]
    found = [part for part in content if part.tag in ("caption", "thead", "tfoot", "tbody") and len(part)]
    order = ("caption", "thead", "tfoot", "tbody")
    found.sort(key=lambda part: order.index(part.tag))
    if rows:
        found.append(make("tbody", None, *rows))
    if not any(part.tag == "tbody" for part in found):
        for part in found:
            if part.tag == "thead":
                part.tag = "tbody"
    return found


def _blocks(content: Iterator[Part]) -> Iterator[Element]:
    """Blocks, with what stands between them in paragraphs."""
    loose: list[Part] = []
    for part in content:
        if not isinstance(part, str) and part.tag in _BLOCK:
            yield from _paragraph(loose)
            loose = []
            yield part
        else:
            loose.append(part)
    yield from _paragraph(loose)


def _paragraph(loose: list[Part]) -> Iterator[Element]:
    if any(not isinstance(part, str) or part.strip() for part in loose):
        yield make("p", None, *loose)


def _as_html(element: Element, replace: Callable[[Element], str | None] | None, as_is: bool) -> Iterator[str]:
    """The content of an element as HTML; `as_is` says that blanks count, as in a block of code."""
    broken = False
    for part in parts(element):
        if isinstance(part, str):
            text = part if as_is else _INDENTED.sub("\n", part)
            yield html.escape(text.lstrip() if broken and not as_is else text)
            broken = False
            continue
        if not isinstance(part.tag, str):  # a comment
            continue
        broken = part.tag == "br"
        replaced = replace(part) if replace else None
        if replaced is not None:
            yield html.escape(replaced)
        elif part.tag == "math":
            alone = copy(part)
            alone.tail = None
            yield html.escape(" ".join(ElementTree.tostring(alone, encoding="unicode", method="text").split()))
        elif part.tag in ("br", "hr", "img"):
            yield f"<{part.tag}{_attributes(part)}>"
        elif part.tag not in _OUTSIDE:
            tag = "".join(sign for sign in part.tag if sign.isalnum()) or "span"
            yield f"<{tag}{_attributes(part)}>"
            yield from _as_html(part, replace, as_is or part.tag == "pre")
            yield f"</{tag}>"


def _attributes(element: Element) -> str:
    kept = ("href", "src", "alt", "title", "class", "colspan", "rowspan", "data")
    found = ((name, element.get(name)) for name in kept)
    return "".join(f' {name}="{html.escape(value)}"' for name, value in found if value)
