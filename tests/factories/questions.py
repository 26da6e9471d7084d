"""Questions of every kind for properties: texts are full of what means something in YAML, Markdown and question files."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from question_bank import Question
from question_bank.choices import option_key
from question_bank.kinds.cloze import Cloze, Gap
from question_bank.kinds.code import Case, Code, CodeTask
from question_bank.kinds.matching import Distractor, Matching, Pair, Side
from question_bank.kinds.multiple import MultipleChoice
from question_bank.kinds.numeric import Mistake, Numeric, NumericAnswer
from question_bank.kinds.open import Criterion, OpenAnswer
from question_bank.kinds.ordering import Item, Ordering
from question_bank.kinds.short import ShortAnswer
from question_bank.kinds.single import SingleChoice
from question_bank.kinds.true_false import TrueFalse
from question_bank.kinds.typed import TypedAnswer, TypedMistake
from question_bank.schema import FrontMatter, Links, Option

ID = "an-id"

# Words and marks that mean something in YAML, in Markdown or in question files.
WORDS = st.sampled_from(
    [
        "lock",
        "row",
        "`x`",
        "**no**",
        "1.",
        "- [x]",
        "= a",
        "a: b",
        "# no",
        "{{n}}",
        "[[x]]",
        "'",
        '"',
        "|",
        "\\",
        "é",
        "日本",
        "@",
        "%",
        "yes",
        "null",
        "~",
        "---",
        "§ 3",
        "&a",
        "*a",
        "!t",
    ]
)
LINE = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
SAFE_LINE = LINE.map(lambda line: f"The {line}")
"""A line that begins with a word, so that it begins nothing else."""
TEXT = (
    st.lists(st.one_of(SAFE_LINE, st.just("")), min_size=1, max_size=4)
    .map("\n".join)
    .map(str.strip)
    .filter(bool)
)
CODE_TEXT = TEXT | TEXT.map(lambda text: f"{text}\n\n```sql\nSELECT 1\n## no heading\n```\n\nAnd after")
ANY = (
    st.text(max_size=40)
    | TEXT
    | st.lists(LINE | st.sampled_from(["## Options", "```", "> quoted", "  ind", "- [ ] a"]), max_size=5).map(
        "\n".join
    )
)


def metas(kind: str) -> st.SearchStrategy[FrontMatter]:
    slug = st.from_regex(r"[a-z0-9]{2,6}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
    return st.builds(
        FrontMatter,
        id=st.just(ID),
        kind=st.just(kind),
        module=slug,
        topics=st.lists(slug, min_size=1, max_size=3, unique=True).map(tuple),
        difficulty=st.integers(1, 5),
        seconds=st.integers(10, 3600),
        links=st.builds(
            Links, lab=st.none() | slug, lesson=st.none() | slug, code=st.just(()) | st.just(("src/a_b.py#L3",))
        ),
        replaces=st.lists(slug, max_size=2, unique=True).map(tuple),
        level=st.sampled_from([None, "mid", "principal"]),
        skills=st.lists(st.sampled_from(["cost", "data-modelling"]), unique=True).map(tuple),
        scenario=st.booleans(),
    )


def unique_texts(texts: st.SearchStrategy[str], low: int, high: int) -> st.SearchStrategy[list[str]]:
    return st.lists(texts, min_size=low, max_size=high, unique_by=lambda text: " ".join(text.split()))


def option(text: str, right: bool, feedback: str) -> Option:
    return Option(option_key(ID, text), text, right, feedback, 1)


@st.composite
def choices(draw: Any, cls: Any, text: Any = CODE_TEXT, low: int = 2) -> Any:
    texts = draw(unique_texts(text, low, 5))
    right = draw(st.integers(0, len(texts) - 1))
    feedbacks = [draw(st.just("") | text) for _ in texts]
    return cls(tuple(option(t, n == right, f) for n, (t, f) in enumerate(zip(texts, feedbacks, strict=True))))


@st.composite
def orderings(draw: Any) -> Ordering:
    texts = draw(unique_texts(CODE_TEXT, 3, 5))
    places = [1]
    for _ in texts[1:]:
        places.append(places[-1] + draw(st.integers(0, 1)))
    places[-1] = places[-2] + 1
    return Ordering(
        tuple(
            Item(option_key(ID, t), t, p, draw(st.just("") | TEXT)) for t, p in zip(texts, places, strict=True)
        )
    )


@st.composite
def matchings(draw: Any) -> Matching:
    lefts, rights = draw(unique_texts(CODE_TEXT, 2, 4)), draw(unique_texts(CODE_TEXT, 5, 6))
    pairs = tuple(
        Pair(
            Side(option_key(ID, f"left {a}"), a),
            Side(option_key(ID, f"right {b}"), b),
            draw(st.just("") | TEXT),
        )
        for a, b in zip(lefts, rights, strict=False)
    )
    spare = draw(st.integers(0, len(rights) - len(lefts)))
    others = rights[len(lefts) : len(lefts) + spare]
    return Matching(
        pairs,
        tuple(Distractor(Side(option_key(ID, f"right {b}"), b), draw(st.just("") | TEXT)) for b in others),
    )


NUMBER = st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9)
NUMERIC = st.builds(
    NumericAnswer,
    value=NUMBER,
    unit=st.none() | st.just("ms"),
    feedback=st.just("") | TEXT,
    mistakes=st.lists(st.builds(Mistake, value=st.floats(2e9, 1e12), why=TEXT), max_size=2).map(tuple),
)
TYPED = st.builds(
    TypedAnswer,
    accept=st.lists(SAFE_LINE, min_size=1, max_size=3).map(tuple),
    patterns=st.just(()) | st.just((r"lo(c|k)+\d*",)),
    case_sensitive=st.booleans(),
    feedback=st.just("") | TEXT,
    mistakes=st.lists(st.builds(TypedMistake, accept=st.just(("zz top",)), why=TEXT), max_size=1).map(tuple),
)


@st.composite
def gap_bodies(draw: Any, name: str) -> Any:
    kind = draw(st.sampled_from(["typed", "number", "chosen"]))
    if kind == "typed":
        return ShortAnswer(draw(TYPED))
    if kind == "number":
        return Numeric(draw(NUMERIC))
    texts = draw(st.lists(LINE, min_size=2, max_size=4, unique=True))
    return SingleChoice(
        tuple(
            Option(option_key(ID, f"{name} {t}"), t, n == 0, draw(st.just("") | TEXT), 1)
            for n, t in enumerate(texts)
        )
    )


@st.composite
def clozes(draw: Any) -> Cloze:
    names = draw(st.lists(st.sampled_from(["one", "two_2", "three"]), min_size=1, max_size=3, unique=True))
    text = "\n\n".join(f"{draw(CODE_TEXT)} [[?{name}]]" for name in names)
    return Cloze(text, tuple(Gap(name, draw(gap_bodies(name))) for name in names))


SOURCE = st.lists(
    st.sampled_from(["x = 1", "    y", "```", "# a", "", "## b", "\tz", "--- "]), min_size=1, max_size=6
).map(lambda lines: "\n".join(lines).rstrip())
CASE = st.builds(
    Case,
    input=st.just("") | TEXT | TEXT.map("{}\n".format),
    output=TEXT | TEXT.map(" {}\n".format),
    about=SAFE_LINE,
)
CODE = st.builds(
    Code,
    st.builds(
        CodeTask,
        language=st.sampled_from(["python", "go", "sql"]),
        examples=st.lists(CASE, min_size=1, max_size=2).map(tuple),
        hidden=st.lists(CASE, min_size=2, max_size=3).map(tuple),
        case_seconds=st.sampled_from([0.5, 2.0, 5.0]),
        any_order=st.booleans(),
    ),
    SOURCE,
    SOURCE,
    SOURCE,
)
OPEN = st.builds(
    OpenAnswer,
    st.just(ID),
    st.lists(
        st.builds(Criterion, points=st.integers(1, 5), criterion=SAFE_LINE),
        min_size=2,
        max_size=4,
        unique_by=lambda entry: entry.criterion,
    ).map(tuple),
    CODE_TEXT,
)
TRUE_FALSE = st.tuples(st.booleans(), st.just("") | TEXT).map(
    lambda drawn: TrueFalse((option("True", drawn[0], drawn[1]), option("False", not drawn[0], "")))
)

BODIES = {
    "single": choices(SingleChoice),
    "multiple": choices(MultipleChoice),
    "true-false": TRUE_FALSE,
    "numeric": NUMERIC.map(Numeric),
    "short": TYPED.map(ShortAnswer),
    "ordering": orderings(),
    "matching": matchings(),
    "cloze": clozes(),
    "code": CODE,
    "open": OPEN,
}


def questions(kind: str) -> st.SearchStrategy[Question]:
    """Questions of a kind, complete with all common fields."""
    return st.builds(
        Question,
        meta=metas(kind),
        prompt=CODE_TEXT,
        body=BODIES[kind],
        explanation=CODE_TEXT,
        references=st.just("") | TEXT,
    )
