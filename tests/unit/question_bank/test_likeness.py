"""Questions that ask the same are found whatever surrounds it, and near ones with how near they are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from question_bank.formats.intake import renamed
from question_bank.kinds import KINDS
from question_bank.likeness import Index, fingerprint
from question_bank.wording import likeness, shingles
from tests.factories.questions import questions


@given(st.sampled_from(sorted(KINDS)).flatmap(questions))
def test_id_topics_and_explanation_make_no_difference(question):
    other = renamed(
        replace(question, explanation="Another one."), "other-id", topics=("else-where",), difficulty=1
    )
    assert fingerprint(other) == fingerprint(question)


def test_another_prompt_key_or_option_makes_a_difference(question):
    one = question()
    swapped = "- [x] Read the row again later\n  > Now it is this one.\n- [ ] Check the version\n  > Not this one now.\n"
    others = [question(prompt="Another prompt?"), question(options=swapped), question(kind="multiple")]
    assert len({fingerprint(each) for each in (one, *others)}) == 4


def test_the_order_of_options_makes_none_but_that_of_items_does(question):
    a, b = "- [x] Alpha beta\n  > Right as can be.\n", "- [ ] Gamma delta\n  > Wrong as can be.\n"
    assert fingerprint(question(options=a + b)) == fingerprint(question(options=b + a))


def test_the_nearest_is_found_with_its_likeness(question):
    far = question(id="far-one", prompt="Nothing of this is the same at all, is it?", options=None)
    near = question(
        id="near-one", prompt="Two writers read the same row and both write. What keeps one change?"
    )
    index = Index([far, near])
    found, share = index.nearest(question())
    assert found.id == "near-one"
    text = [" ".join([q.prompt, *sorted(o.text for o in q.options)]) for q in (question(), near)]
    assert share == likeness(shingles(text[0]), shingles(text[1]))
    assert Index([far]).nearest(question(id="x-y", prompt="Of quite another matter", kind="numeric")) is None
