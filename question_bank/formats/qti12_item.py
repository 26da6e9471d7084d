"""The parts of an item of QTI 1.2, as Canvas, Common Cartridge and others write it: texts, responses, conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from question_bank.formats import markup
from question_bank.formats.markup import Taken
from question_bank.formats.qti_markup import from_element
from question_bank.formats.qti_tree import Element, every, first, line_text

RESPONSES = ("response_lid", "response_str", "response_num", "response_xy", "response_grp")
_LOOKS_LIKE_HTML = re.compile(r"</?[a-zA-Z][^<>]*>|&[a-z]+;")
_TESTS = ("varequal", "vargte", "varlte", "vargt", "varlt", "varsubset", "varsubstring", "other", "unanswered")
_PICTURES = {"matimage": "an image", "mataudio": "a sound", "matvideo": "a film", "matapplet": "a program"}


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of a response."""

    operator: str
    response: str
    value: str
    negated: bool = False
    case_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition, and what it brings."""

    tests: tuple[Test, ...]
    points: float | None
    """None when it scores nothing."""
    shows: tuple[str, ...]
    """The feedback that it shows."""
    any_of: bool
    """Whether one test is enough."""


@dataclass(frozen=True, slots=True)
class Label:
    """One thing to choose, to order or to match."""

    ident: str
    text: Taken


@dataclass
class Item:
    """One item."""

    element: Element
    lost: list[tuple[str, str]] = field(default_factory=list)

    def lose(self, part: str, message: str) -> None:
        """Note what doesn't come along."""
        self.lost.append((part, message))

    def text(self, taken: Taken, part: str) -> str:
        """A text, after noting what it lost."""
        self.lost.extend((part, message) for message in taken.lost)
        return taken.text

    @cached_property
    def about(self) -> dict[str, str]:
        """The fields of its metadata."""
        found: dict[str, str] = {}
        for entry in every(self.element, "qtimetadatafield"):
            found.setdefault(
                line_text(first(entry, "fieldlabel")).casefold(), line_text(first(entry, "fieldentry"))
            )
        return found

    @cached_property
    def sort(self) -> str:
        """What the system that wrote it calls its sort, such as `matching`; empty when it doesn't say."""
        named = self.about.get("question_type") or self.about.get("cc_profile", "")
        return re.sub(r"^cc\.|\.v\d+p\d+$|_question$", "", named.casefold().strip())

    @cached_property
    def responses(self) -> list[Element]:
        """What there is to answer, in the order of the file."""
        return every(self.element, *RESPONSES)

    @cached_property
    def rules(self) -> list[Rule]:
        """The conditions, in the order of the file."""
        return [_rule(condition) for condition in every(self.element, "respcondition")]

    @cached_property
    def prompt(self) -> Taken:
        """The text outside of what there is to answer."""
        presentation = first(self.element, "presentation")
        return (
            joined(material(part) for part in _outside(presentation)) if presentation is not None else Taken("")
        )

    @cached_property
    def feedback(self) -> dict[str, Taken]:
        """The texts that conditions may show, by their names."""
        return {
            part.get("ident", ""): joined(material(inner) for inner in every(part, "material"))
            for part in every(self.element, "itemfeedback")
        }

    @cached_property
    def solution(self) -> Taken:
        """A model answer, where the item has one."""
        return joined(
            material(inner) for part in every(self.element, "solution") for inner in every(part, "material")
        )

    def labels(self, response: Element) -> list[Label]:
        """What a response offers."""
        return [
            Label(label.get("ident", ""), joined(material(part) for part in every(label, "material")))
            for label in every(response, "response_label")
        ]

    def own_text(self, response: Element) -> Taken:
        """The text that stands before a response, such as the left side of a pair."""
        return joined(material(part) for part in _outside(response))

    def scoring(self, response: str | None = None) -> list[Rule]:
        """The conditions that bring points, of all responses or of one."""
        return [
            rule
            for rule in self.rules
            if rule.points is not None
            and rule.points > 0
            and (response is None or any(test.response == response for test in rule.tests))
        ]


def material(element: Element) -> Taken:
    """The text of a material as Markdown."""
    texts: list[str] = []
    lost: list[str] = []
    for part in element:
        if part.tag in ("mattext", "matemtext"):
            taken = _text(part)
            texts.append(taken.text)
            lost.extend(taken.lost)
        elif part.tag in _PICTURES:
            name = (part.get("uri") or part.get("embedded") or "").rpartition("/")[2][:60]
            texts.append(f"[{part.get('label') or _PICTURES[part.tag]}]")
            said = f" `{name}`" if name else ""
            lost.append(f"It has {_PICTURES[part.tag]}{said}, which can't be stored.")
        elif part.tag in ("altmaterial", "flow_mat"):
            continue
    return Taken("\n\n".join(text for text in texts if text), tuple(lost))


def joined(texts: Iterator[Taken]) -> Taken:
    """Several texts as paragraphs of one."""
    all_of_them = list(texts)
    return Taken(
        "\n\n".join(taken.text for taken in all_of_them if taken.text),
        tuple(dict.fromkeys(message for taken in all_of_them for message in taken.lost)),
    )


def _text(element: Element) -> Taken:
    if len(element):
        return from_element(element)
    text, kind = element.text or "", element.get("texttype", "").casefold()
    if "html" in kind or (kind != "text/plain" and _LOOKS_LIKE_HTML.search(text)):
        return markup.from_html(text)
    return Taken(markup.from_plain(text.strip()))


def _outside(element: Element) -> Iterator[Element]:
    """The materials of an element that belong to no response and no label within it."""
    for part in element:
        if part.tag == "material":
            yield part
        elif part.tag not in RESPONSES and part.tag not in ("response_label", "itemfeedback"):
            yield from _outside(part)


def _rule(condition: Element) -> Rule:
    variables = first(condition, "conditionvar")
    tests = tuple(_tests(variables, negated=False)) if variables is not None else ()
    points = None
    for setting in every(condition, "setvar"):
        try:
            amount = float(line_text(setting))
        except ValueError:
            continue
        if setting.get("action", "Set").casefold() in ("set", "add", "subtract"):
            points = -amount if setting.get("action", "").casefold() == "subtract" else amount
    shows = tuple(shown.get("linkrefid", "") for shown in every(condition, "displayfeedback"))
    any_of = variables is not None and (first(variables, "or") is not None or _same_response(variables))
    return Rule(tests, points, shows, any_of)


def _same_response(variables: Element) -> bool:
    return len(variables) > 0 and all(part.tag == "varequal" for part in variables)


def _tests(element: Element, *, negated: bool) -> Iterator[Test]:
    for part in element:
        if part.tag in _TESTS:
            yield Test(
                part.tag,
                part.get("respident", ""),
                (part.text or "").strip(),
                negated,
                part.get("case", "No").casefold() == "yes",
            )
        elif part.tag == "not":
            yield from _tests(part, negated=not negated)
        else:
            yield from _tests(part, negated=negated)
