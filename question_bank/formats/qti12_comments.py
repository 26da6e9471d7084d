"""Which text of an item of QTI 1.2 belongs to which answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from question_bank.formats.qti12_item import Item, Rule


@dataclass
class Comments:
    """The texts of one item, sorted by when they are shown."""

    by_answer: dict[tuple[str, str], str] = field(default_factory=dict)
    """By response and by what was answered."""
    right: str = ""
    wrong: str = ""
    always: list[str] = field(default_factory=list)
    model_answer: str = ""

    def of(self, response: str, *answers: str) -> str:
        """What is said about answers to a response."""
        return _joined(self.by_answer.get((response, answer), "") for answer in answers)


def comments(item: Item) -> Comments:
    """Sort an item's texts, noting what one of them loses."""
    found = Comments(model_answer=item.text(item.solution, "model answer"))
    texts = {name: item.text(taken, "feedback") for name, taken in item.feedback.items()}
    rewarded = {
        (test.response, test.value) for rule in item.scoring() for test in rule.tests if not test.negated
    }
    placed: set[str] = set()
    for rule in item.rules:
        for name in rule.shows:
            if texts.get(name):
                placed.add(name)
                _place(found, item, rule, name, texts[name], rewarded)
    for name, text in texts.items():
        if name in placed or not text:
            continue
        if "solution" in name.casefold():
            found.model_answer = found.model_answer or text
        elif name.casefold() in ("correct_fb", "correct"):
            found.right = found.right or text
        elif name.casefold() in ("general_incorrect_fb", "incorrect"):
            found.wrong = found.wrong or text
        else:
            found.always.append(text)
    found.always = list(dict.fromkeys(found.always))
    return found


def _place(
    found: Comments, item: Item, rule: Rule, name: str, text: str, rewarded: set[tuple[str, str]]
) -> None:
    tests = [test for test in rule.tests if test.operator not in ("other", "unanswered")]
    plain = [test for test in tests if test.operator == "varequal"]
    if not tests:
        if "incorrect" in name.casefold() or (rule.points is not None and rule.points <= 0):
            found.wrong = _joined([found.wrong, text])
        else:
            found.always.append(text)
    elif rule.points is not None and rule.points > 0 and (len(item.scoring()) == 1 or name == "correct_fb"):
        found.right = _joined([found.right, text])
    elif len(tests) == 1 and len(plain) == 1:
        test = plain[0]
        # Canvas shows the text of a pair when the pair is missed.
        key = (test.response, f"not {test.value}" if test.negated else test.value)
        found.by_answer[key] = _joined([found.by_answer.get(key, ""), text])
    elif all((test.response, test.value) in rewarded for test in plain if not test.negated):
        found.right = _joined([found.right, text])
    else:
        found.always.append(text)
        item.lose(
            "feedback", "A text for some answers only was put into the explanation, which follows every answer."
        )


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(dict.fromkeys(text for text in texts if text))
