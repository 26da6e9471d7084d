"""Every page of the portal with many learners and attempts in the database: its SQL statements, and how many are served."""

from bench.pages.measuring import DATABASES, run
from bench.pages.seeding import Size

__all__ = ["DATABASES", "Size", "run"]
