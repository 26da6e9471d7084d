"""Lab sessions: found by their learner and lab"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_lab_sessions_user_id_lab_id", "lab_sessions", ["user_id", "lab_id"])


def downgrade() -> None:
    op.drop_index("ix_lab_sessions_user_id_lab_id", table_name="lab_sessions")
