"""Reference code: Meridian's files can be read, and nothing else."""

from __future__ import annotations

import pytest

from portal.errors import NotFound
from portal.features.reference.service import source_file


def test_a_file_of_meridian_is_shown_with_line_anchors() -> None:
    found = source_file("reference_impl/services/inventory/service.py")
    assert 'id="line-1"' in found.html or 'name="line-1"' in found.html
    assert found.lines > 20


def test_the_dockerfile_is_shown_though_it_has_no_suffix() -> None:
    assert "HEALTHCHECK" in source_file("reference_impl/Dockerfile").html


@pytest.mark.parametrize(
    "path",
    [
        "portal/settings.py",
        "reference_impl/../portal/settings.py",
        "reference_impl/../instance/secret_key",
        "/etc/passwd",
        "reference_impl",
        "reference_impl/no-such-file.py",
        "reference_impl_other/file.py",
        "reference_impl/services/inventory/service.pyc",
    ],
)
def test_other_files_are_not(path: str) -> None:
    with pytest.raises(NotFound):
        source_file(path)
