from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from sandboxes.drivers import image_context
from sandboxes.drivers.image_context import ImageContext, build_order, image_names, step_descriptions
from sandboxes.drivers.image_tools import read_tools
from sandboxes.interface import ImageBuildFailed

CHILD = "# builds on: tiny\nARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n"
PINS = "tool:\n  version: 1.2.3\n  binary: {{amd64: {0}}}\n  archive: {{amd64: {0}, arm64: {0}}}\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout with one image."""
    write(tmp_path, "tiny", "FROM scratch\nCOPY requirements/sandbox.txt \\\n  sandboxes /opt/\n")
    (tmp_path / "sandboxes" / "agent.py").write_text("1")
    (tmp_path / "sandboxes" / "__pycache__").mkdir()
    (tmp_path / "sandboxes" / "__pycache__" / "agent.pyc").write_text("x")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "sandbox.txt").write_text("a==1")
    (tmp_path / "requirements" / "sandbox-more.txt").write_text("b==1")
    (tmp_path / "secret.env").write_text("secret")
    (tmp_path / "sandboxes" / ".env").write_text("secret")
    monkeypatch.setattr(image_context, "ROOT", tmp_path)
    monkeypatch.setattr(image_context, "IMAGES", tmp_path / "sandboxes" / "images")
    return tmp_path


def write(source: Path, image: str, dockerfile: str) -> Path:
    folder = source / "sandboxes" / "images" / image
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile)
    return folder


def contents(image: str) -> tuple[set[str], set[str]]:
    """The files and the folders of an image's context."""
    with ImageContext(image).archive() as data, tarfile.open(fileobj=data) as archive:
        entries = list(archive)
    return {entry.name for entry in entries if entry.isfile()}, {
        entry.name for entry in entries if entry.isdir()
    }


def test_the_tag_changes_with_what_goes_in_and_with_nothing_else(source: Path) -> None:
    first = ImageContext("tiny").tag
    (source / "secret.env").write_text("another")
    (source / "sandboxes" / "__pycache__" / "agent.pyc").write_text("y")
    assert ImageContext("tiny").tag == first
    (source / "sandboxes" / "agent.py").write_text("2")
    second = ImageContext("tiny").tag
    assert second != first
    write(source, "tiny", "FROM debian\nCOPY sandboxes /opt/\n")
    assert ImageContext("tiny").tag not in (first, second)


def test_the_context_holds_what_is_copied_and_no_more(source: Path) -> None:
    files, folders = contents("tiny")
    assert files == {"Dockerfile", "requirements/sandbox.txt", "sandboxes/agent.py"}
    assert folders == {"sandboxes"}


def test_an_image_that_builds_on_another_has_its_own_context_and_follows_the_others_changes(
    source: Path,
) -> None:
    write(source, "big", CHILD + "COPY requirements/sandbox-more.txt /opt/\nCOPY --from=tiny /a /b\n")
    files, _ = contents("big")
    assert files == {"Dockerfile", "requirements/sandbox-more.txt"}
    big = ImageContext("big")
    assert [context.image for context in big.lineage] == ["tiny", "big"]
    assert big.arguments == {"BASE_IMAGE": ImageContext("tiny").tag}
    (source / "sandboxes" / "agent.py").write_text("2")
    changed = ImageContext("big")
    assert changed.tag != big.tag
    assert changed.arguments != big.arguments
    (source / "requirements" / "sandbox-more.txt").write_text("b==2")
    assert ImageContext("big").tag != changed.tag
    assert ImageContext("tiny").tag == changed.arguments["BASE_IMAGE"]


def test_images_are_built_after_those_they_build_on(source: Path) -> None:
    write(source, "a-big", CHILD)
    write(source, "a-bigger", CHILD.replace("tiny", "a-big"))
    write(source, "other", "FROM scratch\n")
    assert build_order() == ["other", "tiny", "a-big", "a-bigger"]


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        (CHILD.replace("tiny", "tinny"), "builds on 'tinny', but there is no such image; there are big, tiny"),
        (CHILD.replace("tiny", "big"), r"builds on itself \(big → big\)"),
        ("# builds on: tiny\nFROM debian\n", "builds on tiny, so it needs `ARG BASE_IMAGE` and `FROM"),
        ("# builds on: tiny\nFROM ${BASE_IMAGE}\n", "builds on tiny, so it needs `ARG BASE_IMAGE`"),
        ("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n", "its first line must be `# builds on: <image>`"),
        ("FROM scratch\nCOPY missing /opt/\n", "copies 'missing', which does not exist"),
        ("FROM scratch\nCOPY ../elsewhere /opt/\n", "copies '../elsewhere', which is outside"),
    ],
)
def test_a_dockerfile_that_can_not_be_used_is_named(source: Path, dockerfile: str, words: str) -> None:
    write(source, "big", dockerfile)
    with pytest.raises(ImageBuildFailed, match=f"sandboxes/images/big/Dockerfile .*{words}"):
        ImageContext("big")


def test_a_circle_of_images_is_named(source: Path) -> None:
    write(source, "tiny", CHILD.replace("tiny", "big"))
    write(source, "big", CHILD)
    with pytest.raises(ImageBuildFailed, match=r"images/tiny/Dockerfile builds on itself \(big → tiny → big\)"):
        ImageContext("big")


def test_an_image_that_does_not_exist_is_refused(source: Path) -> None:
    with pytest.raises(ImageBuildFailed, match="there are tiny"):
        ImageContext("../escape")


def test_a_tool_of_this_machine_is_taken_only_when_it_is_the_pinned_one(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(source, "tiny", "FROM scratch\nCOPY tools /opt/\n")
    (folder / "tools.yaml").write_text(PINS.format(hashlib.sha256(b"program").hexdigest()))
    monkeypatch.setenv("PATH", str(source))
    without = ImageContext("tiny").tag
    assert contents("tiny") == ({"Dockerfile"}, {"tools"})

    (source / "tool").write_bytes(b"program")
    (source / "tool").chmod(0o755)
    assert contents("tiny") == ({"Dockerfile", "tools/tool"}, {"tools"})
    assert ImageContext("tiny").tag == without

    (source / "tool").write_bytes(b"another program")
    assert contents("tiny") == ({"Dockerfile"}, {"tools"})
    (folder / "tools.yaml").write_text(PINS.format(hashlib.sha256(b"another program").hexdigest()))
    assert contents("tiny") == ({"Dockerfile", "tools/tool"}, {"tools"})
    assert ImageContext("tiny").tag != without


def test_the_dockerfile_gets_the_pins_of_its_tools(source: Path) -> None:
    (source / "sandboxes" / "images" / "tiny" / "tools.yaml").write_text(PINS.format("a" * 64))
    assert ImageContext("tiny").arguments == {
        "TOOL_VERSION": "1.2.3",
        "TOOL_BINARY_AMD64": "a" * 64,
        "TOOL_ARCHIVE_AMD64": "a" * 64,
        "TOOL_ARCHIVE_ARM64": "a" * 64,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- tool", "must map names"),
        ("tool: {version: 1.2.3}", "needs `version`, `binary` and `archive`"),
        (PINS.format("a" * 63), "which is no SHA-256"),
        (PINS.format("a" * 64).replace("1.2.3", "1.2"), "must be a text such as"),
        (PINS.format("a" * 64).replace("amd64", "vax"), "must map amd64 or arm64 to a checksum"),
        (PINS.format("a" * 64).replace("tool", "../tool"), "can't be the name of a tool"),
        ("tool: [", "tiny/tools.yaml can't be used"),
    ],
)
def test_pins_that_make_no_sense_are_refused(source: Path, text: str, words: str) -> None:
    file = source / "sandboxes" / "images" / "tiny" / "tools.yaml"
    file.write_text(text)
    with pytest.raises(ImageBuildFailed, match=words):
        read_tools(file)


def test_steps_are_described_by_the_comment_above_them() -> None:
    text = """
# About the file.

# fetching
FROM debian
# installing
# hadolint ignore=DL3008
RUN one \\
    && two \\
    # not a description
    && three
USER 1000
"""
    assert step_descriptions(text) == ["fetching", "installing", "USER 1000"]


def test_every_step_of_every_image_is_described_for_the_learner() -> None:
    instructions = ("FROM", "RUN", "COPY", "ARG", "ENV", "USER", "CMD", "WORKDIR", "LABEL")
    for name in image_names():
        descriptions = step_descriptions(ImageContext(name).dockerfile)
        assert descriptions
        assert not [words for words in descriptions if words.startswith(instructions)]
