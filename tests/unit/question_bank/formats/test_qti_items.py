"""What exported items score, say and look like, by the rules of the specification."""

from __future__ import annotations

import io
import re
import zipfile
from itertools import permutations
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from question_bank import Question
from question_bank.formats import FORMATS
from tests.factories.questions import questions
from tests.unit.question_bank.formats.qti_player import SPACE, play

ORDER = [
    "responseDeclaration", "outcomeDeclaration", "itemBody", "responseProcessing", "modalFeedback",
]  # fmt: skip
TIES = "Put them in order.\n\n## Items\n\n1. Lock\n2. Read\n   > Either may come first.\n2. Check\n"
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def items(question: Question, name: str = "qti-2.1") -> list[Element]:
    package = zipfile.ZipFile(io.BytesIO(FORMATS[name].write([question]).data))
    return [
        ElementTree.fromstring(package.read(path)) for path in package.namelist() if path.startswith("items/")
    ]


def item(question: Question) -> Element:
    (only,) = items(question)
    return only


def shown_texts(root: Element, outcomes: dict[str, object]) -> list[str]:
    """The texts that follow an answer, without the explanation."""
    found = []
    for text in root.iter(f"{SPACE}modalFeedback"):
        value = outcomes[text.get("outcomeIdentifier", "")]
        listed = value if isinstance(value, list) else [value]
        if text.get("identifier") in listed and text.get("outcomeIdentifier") != "SOLUTION":
            found.append(" ".join("".join(text.itertext()).split()))
    return found


@settings(max_examples=25)
@given(data=st.data())
def test_choices_score_as_here(data):
    question = data.draw(st.sampled_from(["single", "multiple", "true-false"]).flatmap(questions))
    root = item(question)
    names = [choice.get("identifier", "") for choice in root.iter(f"{SPACE}simpleChoice")]
    if question.kind == "true-false":
        keys = {option.text.lower(): option.key for option in question.options}
    else:
        keys = dict(zip(names, (option.key for option in question.options), strict=True))
    if question.kind == "multiple":
        chosen = data.draw(st.lists(st.sampled_from(names), unique=True))
        outcomes = play(root, {"RESPONSE": chosen or None})
        assert outcomes["SCORE"] == pytest.approx(question.grade([keys[name] for name in chosen]).fraction)
    else:
        chosen = data.draw(st.sampled_from(names))
        outcomes = play(root, {"RESPONSE": chosen})
        graded = question.grade(keys[chosen])
        assert outcomes["SCORE"] == graded.fraction
        comment = next(entry.comment for entry in graded.feedback if entry.chosen)
        assert bool(shown_texts(root, outcomes)) == bool(comment)


@settings(max_examples=15)
@given(data=st.data())
def test_pairs_score_as_here(data):
    question = data.draw(questions("matching"))
    root = item(question)
    lefts, rights = (
        [side.get("identifier", "") for side in each] for each in root.iter(f"{SPACE}simpleMatchSet")
    )
    body = question.body
    sides = [*(pair.right for pair in body.pairs), *(other.side for other in body.distractors)]
    keys = dict(zip(rights, dict.fromkeys(side.key for side in sides), strict=True))
    drawn = {left: data.draw(st.sampled_from(rights)) for left in lefts}
    outcomes = play(root, {"RESPONSE": [f"{left} {right}" for left, right in drawn.items()]})
    answer = {pair.left.key: keys[drawn[left]] for left, pair in zip(lefts, body.pairs, strict=True)}
    assert outcomes["SCORE"] == pytest.approx(question.grade(answer).fraction)


@settings(max_examples=15)
@given(data=st.data())
def test_right_orders_score_fully_and_others_not(data):
    question = data.draw(questions("ordering"))
    root = item(question)
    made = FORMATS["qti-2.1"].write([question])
    names = [choice.get("identifier", "") for choice in root.iter(f"{SPACE}simpleChoice")]
    keys = dict(zip(names, (entry.key for entry in question.body.items), strict=True))
    places_lost = any(loss.part == "places" for loss in made.losses)
    orders = list(permutations(names))[:: max(1, len(names) ** 3)][:40]
    for order in orders:
        here = question.grade([keys[name] for name in order]).correct
        there = play(root, {"RESPONSE": order})["SCORE"] == 1
        assert here == there or (places_lost and here)
    assert play(root, {"RESPONSE": tuple(names)})["SCORE"] == 1


@settings(max_examples=25)
@given(question=questions("numeric"), off=st.sampled_from([0, 0.4, 0.9, 1.1, 3, -0.9, -1.1]))
def test_numbers_score_as_here(question, off):
    root = item(question)
    answer = question.body.answer
    given = answer.value + off * answer.margin
    if abs(given) > 1e15 or (
        answer.margin and abs(abs(given - answer.value) - answer.margin) < 1e-8 * abs(answer.value)
    ):
        return
    outcomes = play(root, {"RESPONSE": given})
    assert outcomes["SCORE"] == question.grade(given).fraction
    for mistake in answer.mistakes[:1]:
        said = shown_texts(root, play(root, {"RESPONSE": mistake.value}))
        assert len(said) == 1


@settings(max_examples=25)
@given(question=questions("short"))
def test_words_score_as_here(question):
    root = item(question)
    answer = question.body.answer
    for form in answer.accept:
        assert play(root, {"RESPONSE": form})["SCORE"] == 1
        assert (play(root, {"RESPONSE": form.swapcase()})["SCORE"] == 1) >= (
            not answer.case_sensitive and form.swapcase().casefold() == form.casefold()
        )
    assert play(root, {"RESPONSE": "nobody says this"})["SCORE"] == 0
    for mistake in answer.mistakes:
        for form in mistake.accept[:1]:
            outcomes = play(root, {"RESPONSE": form})
            assert outcomes["SCORE"] == 0
            assert len(shown_texts(root, outcomes)) == 1


@settings(max_examples=20)
@given(question=questions("cloze"))
def test_gaps_earn_equal_shares(question):
    root = item(question)
    right = {}
    for declared in root.iter(f"{SPACE}responseDeclaration"):
        value = declared.find(f".//{SPACE}value")
        number = declared.get("baseType") == "float"
        right[declared.get("identifier", "")] = float(value.text) if number else value.text
    assert play(root, right)["SCORE"] == pytest.approx(1)
    first = next(iter(right))
    assert play(root, {first: right[first]})["SCORE"] == pytest.approx(1 / len(right))
    assert play(root, {})["SCORE"] == 0


@settings(max_examples=30)
@given(data=st.data())
def test_items_keep_the_rules_of_the_specification(data):
    question = data.draw(st.sampled_from(sorted(FORMATS["qti-2.1"].carries)).flatmap(questions))
    root = item(question)
    tags = [part.tag.removeprefix(SPACE) for part in root]
    assert tags == sorted(tags, key=ORDER.index)
    assert tags.count("itemBody") == tags.count("responseProcessing") == 1
    declared = [p.get("identifier", "") for p in root if p.tag.endswith("Declaration")]
    assert len(set(declared)) == len(declared)
    assert all(IDENTIFIER.fullmatch(name) for name in [*declared, root.get("identifier", "")])
    for part in root.iter():
        tag = part.tag.removeprefix(SPACE)
        assert part.tag.startswith(SPACE)
        if tag in ("variable", "correct", "mapResponse", "setOutcomeValue"):
            assert part.get("identifier") in declared
        if tag.endswith("Interaction"):
            assert part.get("responseIdentifier") in declared
            choices = [choice.get("identifier") for choice in part.iter() if choice.get("identifier")]
            assert len(set(choices)) == len(choices)
        if tag == "modalFeedback":
            assert part.get("outcomeIdentifier") in declared
            assert part.get("showHide") == "show"
        if tag in ("p", "h3", "h4", "pre"):
            assert not {inner.tag.removeprefix(SPACE) for inner in part.iter()} & {
                "div",
                "ul",
                "table",
                "blockquote",
            }
        if tag in ("ul", "ol"):
            assert {inner.tag.removeprefix(SPACE) for inner in part} == {"li"}
    body = root.find(f"{SPACE}itemBody")
    assert not (body.text or "").strip()
    assert all(not (block.tail or "").strip() for block in body)


def test_version_3_writes_its_own_names(question):
    (root,) = items(question(), "qti-3.0")
    space = "{http://www.imsglobal.org/xsd/imsqtiasi_v3p0}"
    assert root.tag == f"{space}qti-assessment-item"
    assert root.get("time-dependent") == "false"
    names = {part.tag.removeprefix(space) for part in root.iter()}
    assert {"qti-choice-interaction", "qti-simple-choice", "qti-response-if", "p"} <= names
    for feedback in root.iter(f"{space}qti-modal-feedback"):
        assert [part.tag for part in feedback] == [f"{space}qti-content-body"]
    assert next(root.iter(f"{space}qti-choice-interaction")).get("max-choices") == "1"


@pytest.mark.parametrize(
    ("name", "space", "kind"),
    [
        ("qti-2.1", "{http://www.imsglobal.org/xsd/imscp_v1p1}", "imsqti_item_xmlv2p1"),
        ("qti-3.0", "{http://www.imsglobal.org/xsd/qti/qtiv3p0/imscp_v1p1}", "imsqti_item_xmlv3p0"),
    ],
)
def test_the_manifest_lists_every_file_once(name, space, kind, question):
    package = zipfile.ZipFile(io.BytesIO(FORMATS[name].write([question(), question(id="1-of-two")]).data))
    root = ElementTree.fromstring(package.read("imsmanifest.xml"))
    assert [part.tag.removeprefix(space) for part in root] == ["metadata", "organizations", "resources"]
    resources = list(root.iter(f"{space}resource"))
    hrefs = [resource.get("href") for resource in resources]
    assert sorted([*hrefs, "imsmanifest.xml"]) == sorted(package.namelist())
    assert {resource.get("type") for resource in resources} == {kind}
    assert all(IDENTIFIER.fullmatch(resource.get("identifier", "")) for resource in resources)
    numbered = ElementTree.fromstring(package.read("items/1-of-two.xml"))
    assert IDENTIFIER.fullmatch(numbered.get("identifier", ""))


def test_items_of_one_place_may_be_exchanged_there_too(question):
    asked = question(kind="ordering", prompt=TIES)
    root = item(asked)
    for order, right in (
        ("item_1 item_2 item_3", True),
        ("item_1 item_3 item_2", True),
        ("item_2 item_1 item_3", False),
    ):
        assert (play(root, {"RESPONSE": tuple(order.split())})["SCORE"] == 1) is right
    again = FORMATS["qti-2.1"].read(FORMATS["qti-2.1"].write([asked]).data).questions[0]
    assert [entry.place for entry in again.body.items] == [1, 2, 2]


def test_a_tolerance_in_percent_stays_one(question):
    asked = question(kind="numeric", extra="answer:\n  value: 200\n  tolerance_percent: 5\n")
    root = item(asked)
    assert [play(root, {"RESPONSE": given})["SCORE"] for given in (190.0, 210.0, 189.0, 211.0)] == [1, 1, 0, 0]
    again = FORMATS["qti-2.1"].read(FORMATS["qti-2.1"].write([asked]).data).questions[0]
    assert (again.body.answer.tolerance_percent, again.body.answer.tolerance) == (5, 0)
