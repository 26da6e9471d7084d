"""The documents tell the truth about settings, targets and commands, and speak of the product alone."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from portal.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_is_in_the_operator_s_guide() -> None:
    guide = (ROOT / "docs" / "operator.md").read_text()
    for knob in fields(Settings):
        row = re.search(rf"^\| `{knob.name.upper()}` \|.*\|$", guide, re.M)
        assert row, f"{knob.name.upper()} is not in docs/operator.md"
        assert knob.metadata["help"].replace("|", "\\|") in row[0]


def test_every_make_target_that_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for name in re.findall(r"`make ([a-z-]+)", path.read_text()):
            assert name in targets, f"{path.name} names `make {name}`"


def test_every_target_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.M)) - {"format-check"}
    explained = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.M))
    assert phony == explained


def test_links_between_documents_resolve() -> None:
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links {target}"


def test_locks_hold_hashes_and_no_addresses() -> None:
    lock = (ROOT / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert {"base", "dev", "labs", "sandbox"} <= {file.stem for file in files}
    for file in files:
        pins = file.read_text()
        assert "--hash=sha256:" in pins
        assert "://" not in pins
        assert "--index-url" not in pins


def test_the_images_pins_equal_the_portal_s() -> None:
    """A lab must run the same versions on a laptop and in a container."""

    def pins(name: str) -> dict[str, str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        return dict(re.findall(r"^([a-z0-9-]+(?:\[[a-z]+\])?)==(\S+)", text, re.M))

    here = pins("dev") | pins("labs") | pins("base")
    images = (ROOT / "requirements").glob("sandbox*.txt")
    for file in [*images, ROOT / "requirements" / "meridian.txt"]:
        for package, version in pins(file.stem).items():
            assert here.get(package, version) == version, f"{file.name} has another {package}"


def test_an_image_s_pins_leave_out_what_the_image_below_has() -> None:
    def packages(file: Path) -> set[str]:
        return set(re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==", file.read_text(), re.M))

    base = packages(ROOT / "requirements" / "sandbox.txt")
    for file in (ROOT / "requirements").glob("sandbox-*.txt"):
        assert not packages(file) & base, f"{file.name}: run make pins"


def test_no_machine_paths_are_committed() -> None:
    rooms = [
        "portal",
        "roadmap",
        "labs",
        "question_bank",
        "sandboxes",
        "reference_impl",
        "commandline",
        "notebooks",
        "docs",
        "ci",
        ".ci",
    ]
    found = []
    for path in [
        ROOT / "README.md",
        ROOT / "Makefile",
        *(p for room in rooms for p in (ROOT / room).rglob("*")),
    ]:
        if (
            path.suffix in {".py", ".md", ".yaml", ".html", ".js", ".css", ".ipynb", ".json", ""}
            and path.is_file()
        ):
            if "static/dist" in path.as_posix() or "__pycache__" in path.parts:
                continue
            text = path.read_text(errors="replace")
            found += [
                f"{path.relative_to(ROOT)}: {m}"
                for m in re.findall(r"(?<![\w.$}])/(?:work|root)/[a-z]\S*", text)
            ]
    assert found == []
