"""Operations: what the worker reports for the operator, and failures"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REPORTS = ("sandboxes", "pool", "checks")


def upgrade() -> None:
    with op.batch_alter_table("worker_status", schema=None) as batch_op:
        for name in REPORTS:
            batch_op.add_column(sa.Column(name, sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "failures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("work", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("message", sa.String(length=300), nullable=False),
        sa.Column("lab_id", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failures")),
    )
    op.create_index("ix_failures_at", "failures", ["at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_failures_at", table_name="failures")
    op.drop_table("failures")
    with op.batch_alter_table("worker_status", schema=None) as batch_op:
        for name in reversed(REPORTS):
            batch_op.drop_column(name)
