"""Taking a file apart: parts, lines, and every fault at its place."""

from __future__ import annotations

import pytest

from question_bank.document import Document, read


def parts(text: str) -> tuple[Document | None, list[tuple[int, str]]]:
    faults: list[tuple[int, str]] = []
    return read(text, lambda line, message: faults.append((line, message))), faults


def test_reads_front_matter_prompt_options_and_sections(text):
    document, faults = parts(text())
    assert document is not None
    assert faults == []
    assert document.front["id"] == "lost-update"
    assert document.key_lines["kind"] == 3
    assert document.prompt.text.startswith("Two writers")
    assert [option.right for option in document.options] == [False, True, False]
    assert document.options[1].text == "Check the version"
    assert document.options[1].feedback == "The write is accepted on unchanged data only."
    assert document.sections["Explanation"].text.startswith("A version changes")


def test_an_option_may_hold_code_and_several_lines(text):
    code = "- [x] Use\n  ```sql\n  SELECT 1\n    > 0;\n  ```\n  and check\n  > Feedback in\n  > two lines.\n"
    options = code + "- [ ] Other\n  > No.\n"
    document, faults = parts(text(options=options))
    assert document is not None
    assert faults == []
    assert document.options[0].text == "Use\n```sql\nSELECT 1\n  > 0;\n```\nand check"
    assert document.options[0].feedback == "Feedback in\ntwo lines."


def test_headings_inside_code_blocks_do_not_split_the_prompt(text):
    document, faults = parts(text(prompt="Read this:\n\n```text\n## Options\n---\n```\n\nWhat is it?"))
    assert document is not None
    assert faults == []
    assert "## Options" in document.prompt.text
    assert len(document.options) == 3


def test_a_file_without_front_matter_is_one_fault_in_line_one():
    assert [line for line, _ in parts("Just a prompt")[1]] == [1]
    assert [line for line, _ in parts("")[1]] == [1]
    assert [line for line, _ in parts("---\nid: x\nno end")[1]] == [1]


def test_broken_yaml_is_reported_with_its_line_in_the_file():
    document, faults = parts("---\nid: a\nkind: [single\nmodule: x\n---\nPrompt\n")
    assert document is None
    assert faults[0][0] in (3, 4)
    assert "not valid YAML" in faults[0][1]


def test_front_matter_that_is_no_mapping_is_refused():
    assert "list of `field: value`" in parts("---\n- a\n---\n")[1][0][1]


def test_yaml_tags_are_not_executed():
    document, faults = parts("---\nid: !!python/object/apply:os.getcwd []\n---\n")
    assert document is None
    assert len(faults) == 1


def test_a_key_given_twice_is_a_fault_in_the_second_line(text):
    _, faults = parts(text(extra="seconds: 90"))
    assert [line for line, _ in faults] == [8]


def test_all_faults_of_the_body_are_gathered(text):
    options = "- [y] Bad mark\n- [x] Right\n  > Why.\n  late text\nloose text\n- [ ] Wrong\n  > No.\n"
    _, faults = parts(text(options=options) + "\n## Notes\n\nx\n\n## Explanation\n\nagain\n\n```\nopen\n")
    messages = " ".join(message for _, message in faults)
    assert "An option starts with" in messages
    assert "comes before its feedback" in messages
    assert "belongs to none of them" in messages
    assert "`## Notes` is no section" in messages
    assert "twice" in messages
    assert "never closed" in messages
    assert len({line for line, _ in faults}) == 6


def test_an_unquoted_colon_gets_a_hint():
    _, faults = parts("---\nid: a\nwhy: Right: it is\n---\nPrompt\n")
    assert faults[0][0] == 3
    assert "quotes" in faults[0][1]


@pytest.mark.parametrize(
    "field",
    [
        "extra: " + "[" * 30_000 + "]" * 30_000,
        "extra: " + "{a: " * 12_000 + "}" * 12_000,
        "extra:\n" + "".join(" " * depth + "-\n" for depth in range(1, 200)),
    ],
)
def test_front_matter_that_is_nested_too_deeply_is_refused_before_it_is_built(faults_of, text, field):
    (fault,) = faults_of(text(extra=field))
    assert "nested deeper than 12" in fault.message
    assert fault.line >= 8


def test_front_matter_has_no_aliases(faults_of, text):
    doubling = "".join(f"b{n}: &b{n} [*b{n - 1}, *b{n - 1}]\n" for n in range(1, 60))
    (fault,) = faults_of(text(extra=f"b0: &b0 [x, x]\n{doubling}"))
    assert (fault.line, "no aliases" in fault.message) == (9, True)
    assert faults_of(text(prompt="*Which* of these? And & so on.")) == []
