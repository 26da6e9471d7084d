"""Reads one item of QTI 2 or 3 into the parts of a question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from question_bank.body import Written
from question_bank.formats import bodies
from question_bank.formats import qti_read_chosen as chosen
from question_bank.formats.intake import Incoming
from question_bank.formats.markup import from_html
from question_bank.formats.qti_markup import from_element
from question_bank.formats.qti_read_typed import field_of
from question_bank.formats.qti_reading import CannotRead, Reading
from question_bank.formats.qti_rules import Rules
from question_bank.formats.qti_tree import Element, every, first, line_text

FILL_IN = "Fill in the gaps."
_INLINE = ("textEntryInteraction", "inlineChoiceInteraction")
_BLOCK = (
    "choiceInteraction",
    "orderInteraction",
    "matchInteraction",
    "gapMatchInteraction",
    "extendedTextInteraction",
    "hottextInteraction",
    "sliderInteraction",
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_TAGGED = re.compile(r"</?[a-zA-Z][^<>]*>")
_GENERIC = re.compile(r"\w*Interaction|[Qq]uestion|[Ii]tem")
"""Titles that say nothing of the question."""
_POINTS = re.compile(r"(\d{1,2}) points?: (.+)", re.DOTALL)


def item(root: Element, meta: Mapping[str, Any], path: str) -> Incoming:
    """The question in an item. Raises `CannotRead` when it has no form in question files."""
    body = first(root, "itemBody")
    if body is None:
        raise CannotRead("It has no body.")
    if every(root, "templateDeclaration"):
        raise CannotRead(
            "It draws its values when it is shown: export drawn instances, or write it with parameters."
        )
    if root.get("adaptive") == "true":
        raise CannotRead("It is adaptive, with several turns for one answer.")
    interactions = [part for part in body.iter() if str(part.tag).endswith("Interaction")]
    kinds = {str(part.tag) for part in interactions}
    if not interactions:
        raise CannotRead("It asks nothing: it is a text without an interaction.")
    if strange := sorted(kinds - {*_INLINE, *_BLOCK}):
        raise CannotRead(f"Its interaction `{strange[0]}` has no form in question files.")
    reading = Reading(root, Rules(root))
    _common_losses(reading, body)
    if len(interactions) == 1 and interactions[0].tag in _BLOCK:
        kind, prompt, written = _block(reading, body, interactions[0])
    elif kinds <= set(_INLINE):
        kind, prompt, written = _inline(reading, body, interactions)
    else:
        raise CannotRead(f"It asks {len(interactions)} questions at once: split it.")
    identifier = root.get("identifier", "")
    named = root.get("title", "") or identifier
    if not prompt:
        reading.lose("prompt", "It has none: its title stands for it.")
    return Incoming(
        title=prompt if prompt and (named == identifier or _GENERIC.fullmatch(named)) else named,
        kind=kind,
        prompt=prompt or named,
        written=written,
        explanation="\n\n".join(reading.explanation),
        references=reading.references,
        meta=dict(meta),
        line=getattr(root, "line", 1),
        path=path,
        lost=tuple(dict.fromkeys(reading.lost)),
    )


def _common_losses(reading: Reading, body: Element) -> None:
    for outcome in every(reading.item, "outcomeDeclaration"):
        most = (
            outcome.get("normalMaximum") or line_text(outcome)
            if outcome.get("identifier") == "MAXSCORE"
            else ""
        )
        if most and _differs_from_one(most):
            reading.lose(
                "score", f"It is worth {most} points there: here an exam says what a question is worth."
            )
    if every(reading.item, "stylesheet"):
        reading.lose("prompt", "Its style sheet stays behind.")
    if every(reading.item, "catalogInfo"):
        reading.lose("prompt", "Its alternatives for assistive technology stay behind.")
    if every(body, "templateInline", "templateBlock", "printedVariable"):
        reading.lose("prompt", "Texts that depend on variables stay behind.")
    for block in every(body, "rubricBlock"):
        if "candidate" in block.get("view", "candidate").split():
            block.tag = "div"


def _differs_from_one(points: str) -> bool:
    try:
        return float(points) != 1
    except ValueError:
        return False


def _block(reading: Reading, body: Element, interaction: Element) -> tuple[str, str, Written]:
    """A question that consists of one block: its kind, its prompt, its own parts."""
    written: Written
    if interaction.tag == "gapMatchInteraction":
        text, gaps = chosen.gap_choices(reading, interaction)
        prompt = _prompt(reading, body, interaction)
        return "cloze", prompt or FILL_IN, bodies.cloze(text, gaps)
    if interaction.tag == "extendedTextInteraction":
        kind, written = "open", _open(reading, body, interaction)
    elif interaction.tag == "sliderInteraction":
        reading.lose("kind", "The number is typed here, not set with a slider: check its tolerance.")
        kind, written = "numeric", bodies.answer(field_of(reading, interaction))
    elif interaction.tag in ("choiceInteraction", "hottextInteraction"):
        kind, written = chosen.choices(reading, interaction)
    elif interaction.tag == "orderInteraction":
        kind, written = chosen.ordering(reading, interaction)
    else:
        kind, written = chosen.matching(reading, interaction)
    return kind, _prompt(reading, body, interaction), written


def _prompt(reading: Reading, body: Element, interaction: Element) -> str:
    """The body's text, with the interaction's own prompt in place of the interaction."""
    own = next((part for part in interaction if part.tag == "prompt"), None)
    asked = "" if own is None or len(own) else (own.text or "")
    if _TAGGED.search(asked):  # some systems escape HTML there, and say the same before it
        reading.lose("prompt", "Markup that was escaped in it was read as markup.")
        said = reading.text(from_html(asked), "prompt")
        before = reading.text(from_element(body, lambda part: "" if part is interaction else None), "prompt")
        return before if " ".join(said.split()) in " ".join(before.split()) else f"{before}\n\n{said}".strip()
    if interaction.tag != "hottextInteraction":
        for part in list(interaction):
            if part.tag != "prompt":
                interaction.remove(part)
    interaction.tag = "div"
    return reading.markdown(body, "prompt")


def _open(reading: Reading, body: Element, interaction: Element) -> Written:
    response = interaction.get("responseIdentifier", "")
    _, comments = reading.split(response, [])
    reading.general(comments)
    rubric: list[tuple[int, str]] = []
    model = ""
    for block in every(body, "rubricBlock"):
        answer = next((part for part in every(block, "div") if part.get("class") == "model-answer"), None)
        model = model or reading.markdown(answer, "model answer")
        points = [_POINTS.fullmatch(line_text(entry)) for entry in every(block, "li")]
        found = [(int(match[1]), match[2]) for match in points if match]
        if found:
            rubric += found
        elif answer is None and (note := reading.markdown(block, "rubric")):
            reading.explanation.append(note)
            reading.lose("rubric", "A note for markers was put into the explanation: make criteria of it.")
    if not rubric:
        reading.lose("rubric", "It has no criteria: write them before the question is used.")
    model = model or reading.model_answer or "\n\n".join(reading.correct(response))
    if not model:
        reading.lose("model answer", "It has none: write one before the question is used.")
    return bodies.open_answer(rubric, model)


def _inline(reading: Reading, body: Element, interactions: list[Element]) -> tuple[str, str, Written]:
    """Fields in a text: a short answer or a number when there is one that stands alone, else a text with gaps."""
    holders = {child: parent for parent in body.iter() for child in parent}
    if len(interactions) == 1 and interactions[0].tag == "textEntryInteraction":
        holder = holders[interactions[0]]
        unit = _unit_beside(interactions[0], holder)
        if holder is body or line_text(holder) == unit or not line_text(body).removesuffix(unit).strip():
            fields = field_of(reading, interactions[0], unit)
            _remove_unit(holder)
            prompt = reading.text(from_element(body, _nothing), "prompt")
            return ("numeric" if "value" in fields else "short"), prompt, bodies.answer(fields)
    gaps: dict[str, dict[str, Any]] = {}
    marks: dict[str, str] = {}
    for number, interaction in enumerate(interactions, start=1):
        response = interaction.get("responseIdentifier", "")
        name = _gap_name(response, gaps, number)
        unit = _unit_beside(interaction, holders[interaction])
        gaps[name] = field_of(reading, interaction, unit)
        if "unit" in gaps[name]:
            _remove_unit(holders[interaction], behind=interaction)
        marks[response] = name
    text_part = next((part for part in every(body, "div") if part.get("class") == "gaps"), None)
    text = reading.text(
        from_element(body if text_part is None else text_part, lambda p: _mark(p, marks)), "text"
    )
    for name in gaps:
        text = text.replace(f"gapmark{name.replace('_', 'U')}e", f"[[?{name}]]")
    prompt = ""
    if text_part is not None:
        prompt = reading.text(from_element(body, lambda part: "" if part is text_part else None), "prompt")
    return "cloze", prompt or FILL_IN, bodies.cloze(text, gaps)


def _nothing(part: Element) -> str | None:
    return "" if part.tag in _INLINE else None


def _mark(part: Element, marks: Mapping[str, str]) -> str | None:
    """What stands for a gap while the text is turned into Markdown: a word without signs that mean something."""
    if part.tag not in _INLINE:
        return None
    return f"gapmark{marks[part.get('responseIdentifier', '')].replace('_', 'U')}e"


def _gap_name(response: str, taken: Mapping[str, Any], number: int) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", response.removeprefix("GAP_").casefold()).strip("_")
    if not _NAME.fullmatch(name):
        name = f"gap{number}"
    return name if name not in taken else f"gap{number}"


def _unit_beside(interaction: Element, holder: Element) -> str:
    """The unit that is marked as such directly behind a field."""
    siblings = list(holder)
    behind = siblings[siblings.index(interaction) + 1 :]
    if not (interaction.tail or "").strip() and behind and behind[0].get("class") == "unit":
        return line_text(behind[0])
    return ""


def _remove_unit(holder: Element, behind: Element | None = None) -> None:
    """Take the unit out of a text: it is shown by the kind."""
    siblings = list(holder)
    start = siblings.index(behind) + 1 if behind is not None else 0
    for part in siblings[start : start + 2 if behind is None else start + 1]:
        if part.get("class") == "unit":
            previous = siblings[siblings.index(part) - 1]
            previous.tail = part.tail
            holder.remove(part)
