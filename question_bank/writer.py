"""Writes a question in the form of its file: reading that again gives an equal question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from question_bank.body import Written
from question_bank.loader import parse
from question_bank.question import Question
from question_bank.schema import CannotWrite, Fault, FrontMatter
from question_bank.values import sparse

_WIDTH = 110


def write(question: Question) -> str:
    """The text of a question's file. Raises `CannotWrite` when reading it would not give the question back.

    That happens to texts that no file can hold, such as a prompt with a `## ` heading in it, and to values that break
    a bound. So nothing is lost silently.
    """
    if question.template is not None:
        document = question.template.document
        written = Written(
            front={key: value for key, value in document.front.items() if key not in FrontMatter.model_fields},
            sections={
                name: section.text
                for name, section in document.sections.items()
                if name not in ("Explanation", "References")
            },
        )
        prompt = document.prompt.text
        explanation = document.sections["Explanation"].text
        further = document.sections.get("References")
        references = further.text if further else ""
    else:
        written = question.body.write()
        prompt, explanation, references = question.prompt, question.explanation, question.references
    front = {**sparse(question.meta), **written.front}
    sections = {**written.sections, "Explanation": explanation, "References": references}
    text = compose(front, prompt, sections)
    _check(question, text)
    return text


def compose(front: Mapping[str, Any], prompt: str, sections: Mapping[str, str]) -> str:
    """The text of a file of these parts; empty sections are left out."""
    yaml_text = yaml.dump(
        dict(front), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=False
    )
    body = "".join(f"\n## {name}\n\n{text}\n" for name, text in sections.items() if text)
    return f"---\n{yaml_text}---\n\n{prompt}\n{body}"


def _check(question: Question, text: str) -> None:
    faults: list[Fault] = []
    again = parse(text, question.path or f"{question.id}.md", faults)
    if again is None:
        raise CannotWrite(f"`{question.id}` can't be written: {faults[0].message}")
    if again == question:
        return
    for part in ("meta", "prompt", "body", "explanation", "references", "template"):
        if getattr(again, part) != getattr(question, part):
            raise CannotWrite(
                f"`{question.id}` can't be written: its {part} would be read back as something else. Leave out what "
                "has a meaning in question files, such as lines that start with `## ` or, in an option, with `>`."
            )


class _Dumper(yaml.SafeDumper):
    """Lists of words on one line, text of several lines as a block, no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """The front matter may hold the same list twice; the reader knows no aliases."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Only what a block gives back as it is: no spaces at the ends of lines, no other line breaks, nothing invisible.
    lines = text.split("\n")
    plain = all(line == line.rstrip() and line.isprintable() for line in lines) and not lines[0].startswith(" ")
    block = len(lines) > 1 and plain and text.strip("\n") != ""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.SequenceNode:
    short = all(isinstance(value, str | int | float) for value in values) and len(str(values)) < 90
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=short)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
