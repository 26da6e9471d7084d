"""What is left behind is removed, however it was made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandboxes.clearing import remove_tree

MAKE_DEEP = "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(1500):\n    os.mkdir('d' * 100)\n    os.chdir('d' * 100)"
AS_NOBODY = """
import os, sys
from pathlib import Path
from sandboxes.clearing import remove_tree
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
folder = Path(sys.argv[1]) / "closed"
(folder / "inner").mkdir(parents=True)
(folder / "inner" / "file").touch()
(folder / "inner").chmod(0)
folder.chmod(0)
remove_tree(folder)
sys.exit(folder.exists())
"""


def test_folders_deeper_than_any_path_and_links_that_lead_out(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    subprocess.run([sys.executable, "-c", MAKE_DEEP, str(folder)], check=True, timeout=60)
    remove_tree(folder)
    assert not folder.exists()
    assert (kept / "file").exists()


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "link")
    assert list(tmp_path.iterdir()) == [tmp_path / "kept"]


def test_folders_that_their_owner_may_not_enter(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o777)
    for folder in [place, *place.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o011)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, "-c", AS_NOBODY, str(place)], check=True, timeout=60, env=environment)


def test_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nothing")
