"""Revisions: how often the rows of a learner, and those of many people, were changed"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SUBJECTS = ("answers", "drafts", "hand-ins", "people", "reports")


def upgrade() -> None:
    op.add_column("users", sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    made = op.create_table(
        "site_revisions",
        sa.Column("subject", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_site_revisions"),
    )
    op.bulk_insert(made, [{"subject": subject, "number": 0} for subject in SUBJECTS])


def downgrade() -> None:
    op.drop_table("site_revisions")
    # Not by a copy of the table: SQLite would drop the old one, and with it the rows of everybody's work.
    op.drop_column("users", "revision")
