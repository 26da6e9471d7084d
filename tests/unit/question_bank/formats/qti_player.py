"""A player of QTI 2.1 that knows the operators which exported items use: what it scores, another system would."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element

SPACE = "{http://www.imsglobal.org/xsd/imsqti_v2p1}"


def play(item: Element, responses: dict[str, Any]) -> dict[str, Any]:
    """The outcomes of an item for responses: lists for several, tuples for ordered ones, None for no answer."""
    declared = {part.get("identifier"): part for part in item.iter(f"{SPACE}responseDeclaration")}
    outcomes: dict[str, Any] = {}
    for part in item.iter(f"{SPACE}outcomeDeclaration"):
        value = part.find(f".//{SPACE}value")
        outcomes[part.get("identifier", "")] = (
            None if value is None else _typed(part.get("baseType"), value.text)
        )
    player = _Player(declared, outcomes, responses)
    processing = item.find(f"{SPACE}responseProcessing")
    assert processing is not None
    player.run(processing)
    return outcomes


def _typed(base_type: str | None, text: str | None) -> Any:
    return float(text or 0) if base_type in ("float", "integer") else (text or "")


class _Player:
    def __init__(self, declared: Any, outcomes: dict[str, Any], responses: dict[str, Any]) -> None:
        self.declared, self.outcomes, self.responses = declared, outcomes, responses

    def run(self, rules: Element) -> None:
        for rule in rules:
            if rule.tag == f"{SPACE}setOutcomeValue":
                self.outcomes[rule.get("identifier", "")] = self.value(rule[0])
                continue
            assert rule.tag == f"{SPACE}responseCondition"
            for branch in rule:
                if branch.tag == f"{SPACE}responseElse":
                    self.run(branch)  # type: ignore[arg-type]
                elif self.value(branch[0]):
                    self.run(branch[1:])  # type: ignore[arg-type]
                    break

    def value(self, part: Element) -> Any:
        operator = part.tag.removeprefix(SPACE)
        return getattr(self, f"op_{operator.lower()}")(part, [self.value(inner) for inner in part])

    def op_variable(self, part: Element, _: list[Any]) -> Any:
        name = part.get("identifier", "")
        return self.responses.get(name) if name in self.declared else self.outcomes[name]

    def op_correct(self, part: Element, _: list[Any]) -> Any:
        declared = self.declared[part.get("identifier")]
        values = [
            _typed(declared.get("baseType"), value.text) for value in declared.find(f"{SPACE}correctResponse")
        ]
        cardinality = declared.get("cardinality")
        return values[0] if cardinality == "single" else tuple(values) if cardinality == "ordered" else values

    def op_basevalue(self, part: Element, _: list[Any]) -> Any:
        return _typed(part.get("baseType"), part.text)

    def op_mapresponse(self, part: Element, _: list[Any]) -> float:
        declared = self.declared[part.get("identifier")]
        given = self.responses.get(part.get("identifier", ""))
        mapping = declared.find(f"{SPACE}mapping")
        total = 0.0
        for one in given if isinstance(given, list) else [given]:
            for entry in mapping:
                same = entry.get("caseSensitive", "true") == "true"
                key = entry.get("mapKey")
                if one is not None and (one == key or (not same and one.casefold() == key.casefold())):
                    total += float(entry.get("mappedValue"))
                    break
        low, high = mapping.get("lowerBound"), mapping.get("upperBound")
        total = max(total, float(low)) if low else total
        return min(total, float(high)) if high else total

    def op_match(self, _: Element, values: list[Any]) -> bool:
        return None not in values and values[0] == values[1]

    def op_equal(self, part: Element, values: list[Any]) -> bool:
        if None in values:
            return False
        given, wanted = values
        if part.get("toleranceMode") == "exact":
            return bool(given == wanted)
        below, above = (float(amount) for amount in part.get("tolerance", "").split())
        if part.get("toleranceMode") == "relative":
            below, above = abs(wanted) * below / 100, abs(wanted) * above / 100
        return bool(wanted - below <= given <= wanted + above)

    def op_stringmatch(self, part: Element, values: list[Any]) -> bool:
        if None in values:
            return False
        if part.get("caseSensitive") == "false":
            values = [value.casefold() for value in values]
        return bool(values[0] == values[1])

    def op_patternmatch(self, part: Element, values: list[Any]) -> bool:
        return values[0] is not None and re.fullmatch(part.get("pattern", ""), values[0]) is not None

    def op_or(self, _: Element, values: list[Any]) -> bool:
        return any(values)

    def op_gt(self, _: Element, values: list[Any]) -> bool:
        return bool(values[0] > values[1])

    def op_divide(self, _: Element, values: list[Any]) -> float:
        return float(values[0] / values[1])

    def op_sum(self, _: Element, values: list[Any]) -> float:
        return float(sum(values))

    def op_member(self, _: Element, values: list[Any]) -> bool:
        return values[1] is not None and values[0] in values[1]

    def op_ordered(self, _: Element, values: list[Any]) -> Any:
        return tuple(values)

    def op_multiple(self, _: Element, values: list[Any]) -> list[Any]:
        found: list[Any] = []
        for value in values:
            found += value if isinstance(value, list) else [] if value is None else [value]
        return found
