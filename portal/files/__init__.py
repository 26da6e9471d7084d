"""Learners' files as the portal itself touches them: measured, zipped, put aside. Nothing in them is trusted."""

from portal.files.archive import stream_zip
from portal.files.learner_files import Kept, LearnerFiles
from portal.files.tree import Usage, workspace_usage

__all__ = ["Kept", "LearnerFiles", "Usage", "stream_zip", "workspace_usage"]
