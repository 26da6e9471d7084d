from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from sandboxes.drivers import images
from sandboxes.drivers.images import ImageContext, image_names, step_descriptions
from sandboxes.interface import ImageBuildFailed


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout with one image."""
    (tmp_path / "sandboxes" / "images" / "tiny").mkdir(parents=True)
    (tmp_path / "sandboxes" / "images" / "tiny" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "sandboxes" / "agent.py").write_text("1")
    (tmp_path / "sandboxes" / "__pycache__").mkdir()
    (tmp_path / "sandboxes" / "__pycache__" / "agent.pyc").write_text("x")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "sandbox.txt").write_text("a==1")
    (tmp_path / "secret.env").write_text("secret")
    monkeypatch.setattr(images, "ROOT", tmp_path)
    monkeypatch.setattr(images, "IMAGES", tmp_path / "sandboxes" / "images")
    return tmp_path


def test_the_tag_changes_with_what_goes_in_and_with_nothing_else(source: Path) -> None:
    first = ImageContext("tiny").tag
    (source / "secret.env").write_text("another")
    (source / "sandboxes" / "__pycache__" / "agent.pyc").write_text("y")
    assert ImageContext("tiny").tag == first
    (source / "sandboxes" / "agent.py").write_text("2")
    second = ImageContext("tiny").tag
    assert second != first
    (source / "sandboxes" / "images" / "tiny" / "Dockerfile").write_text("FROM debian\n")
    assert ImageContext("tiny").tag not in (first, second)


def test_the_context_holds_what_is_copied_and_no_more(source: Path) -> None:
    with tarfile.open(fileobj=ImageContext("tiny").archive()) as archive:
        files = {entry.name for entry in archive if entry.isfile()}
        folders = {entry.name for entry in archive if entry.isdir()}
    assert files == {"Dockerfile", "requirements/sandbox.txt", "sandboxes/agent.py"}
    assert folders == {"sandboxes", "reference_impl", "notebooks/labkit"}


def test_an_image_that_does_not_exist_is_refused(source: Path) -> None:
    with pytest.raises(ImageBuildFailed, match="there are tiny"):
        ImageContext("../escape")


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
