"""Nothing lost: a queue for sandboxes, idle limits, extensions, reasons, the room that files take"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEX = "uq_lab_sessions_open"
COLUMNS = ("user_id", "lab_id")
BEFORE = "state IN ('starting', 'ready', 'stopping')"
AFTER = "state IN ('queued', 'starting', 'ready', 'stopping')"


def _make_index(where: str) -> None:
    op.create_index(
        INDEX,
        "lab_sessions",
        list(COLUMNS),
        unique=True,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def upgrade() -> None:
    op.drop_index(INDEX, table_name="lab_sessions")
    with op.batch_alter_table("lab_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("admitted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("extensions", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("last_active_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("end_reason", sa.String(length=16), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("usage_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("usage_files", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("usage_at_start", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("worker_status", schema=None) as batch_op:
        batch_op.add_column(sa.Column("places", sa.Integer(), nullable=False, server_default="0"))
    _make_index(AFTER)


def downgrade() -> None:
    op.execute("UPDATE lab_sessions SET state = 'stopped', ended_at = requested_at WHERE state = 'queued'")
    op.drop_index(INDEX, table_name="lab_sessions")
    with op.batch_alter_table("worker_status", schema=None) as batch_op:
        batch_op.drop_column("places")
    with op.batch_alter_table("lab_sessions", schema=None) as batch_op:
        for name in (
            "usage_at_start",
            "usage_files",
            "usage_bytes",
            "end_reason",
            "last_active_at",
            "extensions",
            "admitted_at",
        ):
            batch_op.drop_column(name)
    _make_index(BEFORE)
