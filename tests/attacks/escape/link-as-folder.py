"""Replaces the whole workspace's folders by links, so that what is read below them lies elsewhere."""

LOCAL = True
import os


def write_report(rows):
    here = os.getcwd()
    os.mkdir("inner")
    os.symlink(os.path.dirname(HOST["file"]), "report.json")
    os.symlink(here, "inner/loop")
    try:
        os.rename(here, here + "-moved")
        os.symlink(os.path.dirname(HOST["file"]), here)
    except OSError:
        pass
    finally:
        if os.path.islink(here):
            os.unlink(here)
            os.rename(here + "-moved", here)


sold = {}
