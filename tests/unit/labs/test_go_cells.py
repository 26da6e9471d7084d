"""Cells of Go in a notebook whose kernel is Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labs import go_cells
from labs.catalogue import Lab, load_lab
from labs.notebook import Source, parse

TEXT = """\
# A lab in Go

```python
given = 1
```

```go file="try/main.go"
package main

func main() {}
```

```go
// only text
```

```go file="sum/sum.go" task="sum"
package sum

// BEGIN SOLUTION
import "slices"

func Most(numbers []int) int {
	return slices.Max(numbers)
}
// STARTER
// func Most(numbers []int) int {
// 	panic("not implemented: task sum")
// }
// END SOLUTION
```
"""


def read(text: str, tasks: tuple[str, ...] = ("sum",)) -> tuple[Source | None, list[str]]:
    source, faults = parse("tiny", Path("lab.md"), text, tasks)
    return source, [fault.message for fault in faults]


def sources(notebook: dict) -> list[str]:
    return [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_a_fence_that_names_a_file_is_a_cell_that_writes_it() -> None:
    source, faults = read(TEXT)
    assert source is not None, faults
    python, given, task = sources(source.solution())
    assert python == "given = 1"
    assert given == "%%go try/main.go\npackage main\n\nfunc main() {}"
    assert task == (
        '%%go sum/sum.go\npackage sum\n\nimport "slices"\n\nfunc Most(numbers []int) int {\n\treturn slices.Max(numbers)\n}'
    )
    texts = [cell["source"] for cell in source.solution()["cells"] if cell["cell_type"] == "markdown"]
    assert any("```go\n// only text\n```" in text for text in texts)
    assert source.imports() == ()


def test_the_learner_starts_from_what_stands_below_the_starter() -> None:
    source, _ = read(TEXT)
    assert source is not None
    assert sources(source.learner())[-1] == (
        "%%go sum/sum.go\npackage sum\n\n// Your code here: task sum\nfunc Most(numbers []int) int {\n"
        '\tpanic("not implemented: task sum")\n}'
    )


def test_without_a_starter_there_is_a_line_that_panics() -> None:
    text = TEXT[: TEXT.index("// STARTER")] + "// END SOLUTION\n```\n"
    source, faults = read(text)
    assert source is not None, faults
    assert sources(source.learner())[-1].endswith(
        '// Your code here: task sum\npanic("not implemented: task sum")'
    )


def test_a_wrong_answer_takes_the_place_of_the_whole_region() -> None:
    source, _ = read(TEXT)
    assert source is not None
    answered = sources(source.with_answers({"sum": "func Most([]int) int { return 0 }"}))[-1]
    assert answered == "%%go sum/sum.go\npackage sum\n\nfunc Most([]int) int { return 0 }"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('file="sum/sum.go" ', "", "names the file"),
        ("sum/sum.go", "../sum.go", "is not the name of a Go file"),
        ("sum/sum.go", "/tmp/sum.go", "is not the name of a Go file"),
        ("// BEGIN SOLUTION\n", "", "needs one solution region, from `// BEGIN SOLUTION`"),
        ("not implemented: task sum", "todo", 'must say `panic("not implemented: task sum")`'),
    ],
)
def test_what_is_wrong_with_a_cell_is_told(old: str, new: str, said: str) -> None:
    source, faults = read(TEXT.replace(old, new))
    assert source is None
    assert any(said in fault for fault in faults), faults


def test_the_starter_may_be_written_with_or_without_a_space_behind_the_slashes() -> None:
    assert go_cells.stub("sum", '//import "x"\n//\n// panic(1)\n') == (
        '// Your code here: task sum\nimport "x"\n\npanic(1)'
    )


def test_a_wrong_answer_may_be_in_go(lab_folder: Path, reload: Callable[[], Lab]) -> None:
    (lab_folder / "wrong_answers" / "in-go.md").write_text(
        '---\nloses: [add]\nwhy: It is a mistake that people make.\n---\n\n```go task="add"\nfunc x() {}\n```\n'
    )
    found, faults = load_lab(lab_folder)
    assert faults == []
    assert found is not None
    assert {"add": "func x() {}"} in [answer.answers for answer in found.wrong_answers]
