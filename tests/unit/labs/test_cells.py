"""From the text of lab.md to its cells."""

from __future__ import annotations

import jupytext
import pytest

from labs import go_cells
from labs.catalogue import CONTENT_ROOT
from labs.cells import TEXT_ONLY, Block, Unreadable, blocks, cells
from tests.unit.labs.conftest import TEXT

MANY = """# Title

One paragraph.

Another, with `code`.


A cell of its own.

    indented = "code"


    still = "the same cell"

The same, too.
```sql
SELECT 1;


SELECT 2;
```

- a list
- of two

```python
text = 'a \\'quoted\\' word'

# %matplotlib inline
```

```python task="one"
### BEGIN SOLUTION
pass
### END SOLUTION
```

````python
fence = "```"
````

```mermaid
flowchart
```

```python .noeval
not_run = True
```

The end.
"""


def by_jupytext(text: str) -> list[tuple[bool, str, str | None]]:
    """What Jupytext makes of a text in which the blocks of other languages are marked as text, cells of Go as Python."""
    lines = text.splitlines()
    for block in blocks(text):
        if go_cells.names_a_file(block.info):
            magic = block.source.splitlines()[0]
            lines[block.line - 1] = (
                f"```{go_cells.without_file(block.info).replace('go', 'python', 1)}\n{magic}"
            )
        elif block.info and not block.is_cell and TEXT_ONLY not in block.info:
            lines[block.line - 1] += f" {TEXT_ONLY}"
    notebook = jupytext.reads("\n".join(lines) + "\n", fmt="md")
    return [
        (cell.cell_type == "code", cell.source.replace(f" {TEXT_ONLY}", ""), cell.metadata.get("task"))
        for cell in notebook.cells
    ]


@pytest.mark.parametrize(
    "text",
    [TEXT, MANY, *(path.read_text() for path in sorted(CONTENT_ROOT.glob("*/lab.md")))],
    ids=["tiny", "many", *(path.parent.name for path in sorted(CONTENT_ROOT.glob("*/lab.md")))],
)
def test_cells_are_those_that_jupytext_reads(text: str) -> None:
    found = [(cell.is_code, cell.source, cell.task) for cell in cells(text)]
    assert found == by_jupytext(text)
    assert len(found) > 3


def test_cells_know_their_lines() -> None:
    lines = MANY.splitlines()
    for cell in cells(MANY):
        first = lines[cell.line - 1]
        assert first.startswith("```") if cell.is_code else cell.source.startswith(first.split(" .noeval")[0])


def test_empty_lines_more_or_fewer_between_cells_change_nothing() -> None:
    wide = TEXT.replace("\n\n```python", "\n\n\n\n```python").replace("```\n\n", "```\n\n\n\n")
    narrow = TEXT.replace("\n\n```python", "\n```python")
    assert wide != TEXT != narrow
    for text in (wide, narrow):
        assert [cell.source for cell in cells(text)] == [cell.source for cell in cells(TEXT)]


def test_blocks_know_their_lines_and_end_at_a_fence_as_long_as_their_own() -> None:
    assert blocks("a\n````python\n```\nx\n```\n````\n```\ny\n") == [
        Block(2, "python", "```\nx\n```", 6, True),
        Block(7, "", "y", 8, False),
    ]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("---\ntitle: A\n---\n", 1, "front matter"),
        ("A\n\n<!-- #region -->\nB\n<!-- #endregion -->\n", 3, "region marker"),
        ("A\n\n```python\nx = 1\n", 3, "never closed"),
        ("A\n\n```text\nx\n", 3, "never closed"),
        ("```python\nx = 1\n\n```python\ny = 1\n```\n", 1, "never closed"),
        ('```python tags="x"\nx = 1\n```\n', 1, "says `tags`"),
        ('```python task="a" hidden=true\nx = 1\n```\n', 1, "says `hidden`"),
    ],
)
def test_what_a_text_may_not_have(text: str, line: int, expected: str) -> None:
    with pytest.raises(Unreadable, match=expected) as caught:
        cells(text)
    assert caught.value.line == line


def test_a_region_marker_inside_of_a_code_block_is_text() -> None:
    assert len(cells("```html\n<!-- #region -->\n```\n")) == 1


def test_an_empty_text_has_no_cells() -> None:
    assert cells("") == cells("\n\n\n") == []
