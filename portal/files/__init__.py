"""Learners' files as the portal itself touches them: measured, zipped, put aside. Nothing in them is trusted."""

from portal.files.archive import stream_zip
from portal.files.learner_files import Kept, LearnerFiles

__all__ = ["Kept", "LearnerFiles", "stream_zip"]
