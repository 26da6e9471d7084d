"""What the documents of Meridian say is what the code has: links, settings, metrics, log lines, flags, diagrams."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

import reference_impl
from reference_impl.shared.faults import FLAGS
from reference_impl.shared.settings import SECTIONS, Section, Settings

FOLDER = Path(reference_impl.__file__).parent
ROOT = FOLDER.parent
DOCS = sorted((FOLDER / "docs").rglob("*.md"))
READMES = [FOLDER / "README.md", *sorted((FOLDER / "services").glob("*/README.md"))]
PAGES = DOCS + READMES
DECISIONS = [page for page in DOCS if re.match(r"\d{4}-", page.name)]
SECTIONS_OF_A_DECISION = ["Context", "Decision", "Alternatives considered", "Consequences"]
RUNBOOKS = [page for page in DOCS if page.parent.name == "runbooks" and page.name != "README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PACKAGES = ROOT / "node_modules"
MERMAID = PACKAGES / "mermaid" / "dist" / "mermaid.core.mjs"
PURIFIER = PACKAGES / "dompurify" / "dist" / "purify.es.mjs"
HEADS = {"sequenceDiagram": 3, "flowchart TB": 3, "flowchart LR": 3, "stateDiagram-v2": 3}

PARSE = """
import purifier from PURIFIER;
import mermaid from MERMAID;
// It cleans labels with a browser's means, which node has not; a parser needs them as they are.
Object.assign(purifier, {addHook: () => {}, sanitize: text => text});
const diagrams = JSON.parse(await new Promise(done => {
  let text = ''; process.stdin.on('data', part => text += part).on('end', () => done(text));
}));
const faults = [];
for (const [name, text] of diagrams) {
  try { await mermaid.parse(text); } catch (error) { faults.push(name + ': ' + error.message); }
}
console.log(JSON.stringify(faults));
"""


def _source() -> str:
    return "\n".join(path.read_text() for path in sorted(FOLDER.rglob("*.py")))


def _prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def _diagrams() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        found = [text for language, text in FENCE.findall(page.read_text()) if language == "mermaid"]
        yield from ((f"{page.relative_to(FOLDER)} #{number}", text) for number, text in enumerate(found, 1))


def _name(page: Path) -> str:
    return page.relative_to(FOLDER).as_posix()


def _variables() -> set[str]:
    known = {f"MERIDIAN_{name.upper()}" for name in Settings.model_fields}
    for service in SECTIONS:
        module = FOLDER / "services" / service / "settings.py"
        if not module.exists():
            continue
        found = vars(importlib.import_module(f"reference_impl.services.{service}.settings")).values()
        for item in found:
            if isinstance(item, type) and issubclass(item, Section) and item is not Section:
                known |= {f"MERIDIAN_{item.section}_{name}".upper() for name in item.model_fields}
    return known


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s#]+)(?:#[\w-]+)?\)", _prose(page))
    dead = [
        link for link in links if not link.startswith(("http:", "https:")) and not (page.parent / link).exists()
    ]
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"`?\$?(MERIDIAN_[A-Z0-9_]*[A-Z0-9])\b(?!_)", page.read_text()))
    assert named - _variables() == set()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_metric_that_is_named_is_counted_somewhere(page: Path) -> None:
    source = _source()
    families = {f"meridian_{name}" for name in re.findall(r'family\("(\w+)"', source)}
    known = set(re.findall(r'"(meridian_\w+)"', source)) | families
    named = set(re.findall(r"`(meridian_\w+?)(?:\{[^`]*\})?`", page.read_text()))
    databases = {f"meridian_{service}" for service in SECTIONS}
    assert {name for name in named if name not in known | databases} == set()


@pytest.mark.parametrize("page", DOCS, ids=_name)
def test_every_log_line_that_is_named_is_written_somewhere(page: Path) -> None:
    source = _source()
    # "log `a`, `b`": each name of such a list
    lists = re.findall(r"[Ll]og (`[^`]+`(?:(?:, | or )`[^`]+`)*)", re.sub(r"\s+", " ", _prose(page)))
    named = {
        name for found in lists for name in re.findall(r"`([^`]+)`", found) if not name.startswith("meridian_")
    }
    assert {name for name in named if f'"{name}"' not in source} == set()


def test_every_fault_flag_has_its_row_among_the_failure_modes() -> None:
    rows = [
        line
        for line in (FOLDER / "docs" / "failure-modes.md").read_text().splitlines()
        if line.startswith("| ")
    ]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]
    played = [found for row in cells for found in re.findall(r"^`([a-z]+\.[a-z-]+)`$", row[-1])]
    assert sorted(played) == sorted(flag.name for flag in FLAGS)
    assert {len(row) for row in cells} == {6}
    assert not [row for row in cells if not all(row)]


def test_eight_decisions_have_all_their_sections() -> None:
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04}" for number in range(1, 9)]
    for page in DECISIONS:
        text = page.read_text()
        assert text.startswith(f"# {page.name[:4]}: ")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS_OF_A_DECISION, page.name
        parts = re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]
        assert all(len(part.split()) > 20 for part in parts), page.name
        assert len(re.findall(r"^- \*\*", parts[2], re.MULTILINE)) >= 2, f"{page.name}: alternatives"


@pytest.mark.parametrize("page", RUNBOOKS, ids=_name)
def test_a_runbook_says_when_it_is_over(page: Path) -> None:
    assert "**Over** when" in page.read_text()


@pytest.mark.parametrize("folder", ["decisions", "runbooks"])
def test_an_index_lists_its_folder(folder: str) -> None:
    pages = {page.name for page in DOCS if page.parent.name == folder} - {"README.md"}
    index = (FOLDER / "docs" / folder / "README.md").read_text()
    assert set(re.findall(r"^\|.*?\]\(([\w-]+\.md)\)", index, re.MULTILINE)) == pages
    assert len(pages) >= 6


def test_the_readme_leads_to_the_documents() -> None:
    links = set(re.findall(r"\]\((docs/[^)]+)\)", (FOLDER / "README.md").read_text()))
    assert {link for link in links if "runbooks" in link or "decisions" in link}
    for name in ("architecture", "checkout", "failure-modes", "cost"):
        assert f"docs/{name}.md" in links


def test_the_readme_lists_every_setting_of_the_platform() -> None:
    table = (FOLDER / "README.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    named = re.findall(
        r"`(MERIDIAN_\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "|" in line)
    )
    fields = set(Settings.model_fields) - {"sections"}
    assert sorted(named) == sorted(f"MERIDIAN_{name.upper()}" for name in fields)


def test_every_service_has_its_readme_with_the_same_parts() -> None:
    folders = sorted(path.parent.name for path in (FOLDER / "services").glob("*/api.py"))
    assert sorted(page.parent.name for page in READMES[1:]) == folders
    for page, part in product(READMES[1:], ("## Settings", "## Events", "## What breaks it")):
        assert part in page.read_text(), f"{_name(page)} lacks {part}"


def test_diagrams_are_balanced() -> None:
    for name, text in _diagrams():
        head = text.splitlines()[0].strip()
        assert head in HEADS, f"{name} is a {head}"
        assert len(text.splitlines()) >= HEADS[head]
        words = [line.split()[0] for line in text.splitlines() if line.strip()]
        opened = sum(word in ("alt", "opt", "par", "loop", "subgraph", "critical") for word in words)
        assert opened == words.count("end"), f"{name}: a block is not closed"
        for opening, closing in ("[]", "{}"):
            assert text.count(opening) == text.count(closing), f"{name}: {opening}"


def test_participants_are_declared() -> None:
    for name, text in _diagrams():
        if not text.startswith("sequenceDiagram"):
            continue
        declared = set(re.findall(r"participant (\w+)", text))
        spoken = {
            end for pair in re.findall(r"^\s*(\w+)-+(?:>>|\)|x)(\w+):", text, re.MULTILINE) for end in pair
        }
        assert spoken
        assert spoken <= declared, f"{name}: {spoken - declared}"


@pytest.mark.skipif(
    not (shutil.which("node") and MERMAID.exists()), reason="node and its packages are not installed (npm ci)"
)
def test_mermaid_understands_every_diagram(tmp_path: Path) -> None:
    program = tmp_path / "parse.mjs"
    text = PARSE
    for name, path in {"MERMAID": MERMAID, "PURIFIER": PURIFIER}.items():
        text = text.replace(name, json.dumps(path.resolve().as_uri()))
    program.write_text(text)
    done = subprocess.run(
        ["node", program],
        input=json.dumps(list(_diagrams())),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("service", SECTIONS)
def test_the_readme_of_a_service_lists_its_settings(service: str) -> None:
    table = (
        (FOLDER / "services" / service / "README.md")
        .read_text()
        .partition("## Settings")[2]
        .partition("\n## ")[0]
    )
    platform = {f"MERIDIAN_{name.upper()}" for name in Settings.model_fields}  # such as MERIDIAN_PAYMENT_WINDOW
    own = {name for name in _variables() - platform if name.startswith(f"MERIDIAN_{service.upper()}_")}
    named = set(re.findall(r"^\| `(MERIDIAN_\w+)` \|", table, re.MULTILINE))
    assert named == own
