"""Imports Canvas' formula questions: as a question with parameters, or with the first set of values that the file has."""

from __future__ import annotations

import re
from typing import Any

from question_bank.body import Written
from question_bank.formats import bodies
from question_bank.formats.qti12_comments import Comments
from question_bank.formats.qti12_fields import number, whole
from question_bank.formats.qti12_item import Item
from question_bank.formats.qti_reading import CannotRead
from question_bank.formats.qti_tree import Element, every, first, line_text
from question_bank.formula import FormulaError, evaluate

_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_MOST_STEPS = 100_000


def calculated(item: Item, said: Comments) -> Written:
    """The body of a formula question, with its parameters. Raises `CannotRead` when it has no readable formula."""
    parameters = {}
    for variable in every(_part(item, "vars"), "var"):
        name = variable.get("name", "")
        if not _NAME.fullmatch(name):
            raise CannotRead(f"Its variable `{name[:40]}` can't be a name here: use a word in lower case.")
        parameters[name] = _range(variable)
    formulas = [_formula(line_text(part)) for part in every(_part(item, "formulas"), "formula")]
    if not parameters or not formulas:
        raise CannotRead("It has no variables, or no formula.")
    names: dict[str, Any] = {name: value["from"] for name, value in parameters.items()}
    result = formulas[-1]
    for step in formulas[:-1]:
        name, _, expression = (part.strip() for part in step.partition("="))
        if not _NAME.fullmatch(name) or not expression:
            raise CannotRead(f"Its formula `{step[:60]}` can't be read.")
        parameters[name] = {"formula": expression}
        _check(expression, names)
        names[name] = 1
    result = result.partition("=")[2].strip() if re.match(r"[a-z]\w*\s*=[^=]", result) else result
    _check(result, names)
    places = number(_part(item, "formulas").get("decimal_places", "")) or 0
    digits = int(min(max(places, 0), 9))
    fields: dict[str, Any] = {"value": f"= round({result}, {digits})" if digits else f"= round({result})"}
    fields.update(_tolerance(line_text(first(item.element, "calculated", "answer_tolerance")), digits))
    if said.right:
        fields["feedback"] = said.right
    if said.wrong:
        said.always.append(said.wrong)
    item.lose("parameters", "Values are drawn anew here: the sets of values in the file stay behind.")
    made = bodies.answer(fields)
    return Written(front={"parameters": parameters, **made.front})


def _part(item: Item, name: str) -> Element:
    found = first(item.element, "calculated", name)
    if found is None:
        raise CannotRead("It has no formula that can be read.")
    return found


def _range(variable: Element) -> dict[str, Any]:
    low, high = number(line_text(first(variable, "min"))), number(line_text(first(variable, "max")))
    scale = int(min(max(number(variable.get("scale", "0")) or 0, 0), 6))
    if low is None or high is None or low >= high:
        raise CannotRead(f"Its variable `{variable.get('name', '')[:40]}` has no range.")
    step = 10.0**-scale
    while (high - low) / step > _MOST_STEPS:
        step *= 10
    return {"from": whole(low), "to": whole(high), "step": whole(step)}


def _formula(text: str) -> str:
    """A formula of Canvas as ours are written."""
    return text.replace("^", "**").replace("×", "*").replace("÷", "/").strip()


def _check(formula: str, names: dict[str, Any]) -> None:
    try:
        evaluate(formula, names)
    except FormulaError as error:
        if "divides by zero" not in str(error) and "no value here" not in str(error):
            raise CannotRead(f"Its formula can't be read: {error}.") from error


def _tolerance(text: str, digits: int) -> dict[str, Any]:
    percent = text.endswith("%")
    amount = abs(number(text.removesuffix("%")) or 0.0)
    if percent:
        return {"tolerance_percent": whole(min(amount, 50.0))} if amount else {}
    # Learners round as the file does.
    amount = max(amount, 0.5 * 10.0**-digits if digits else 0.0)
    return {"tolerance": whole(amount)} if amount else {}
