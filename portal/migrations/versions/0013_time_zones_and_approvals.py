"""Accounts: the time zone in which a person's days are reckoned; activities: approvals that were taken back"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_REVOKED = sa.text("revoked_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("users", sa.Column("time_zone", sa.String(length=64), nullable=False, server_default=""))
    with op.batch_alter_table("hand_ins") as table:
        table.add_column(sa.Column("revoked_by", sa.Integer(), nullable=True))
        table.add_column(sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("revocation", sa.Text(), nullable=False, server_default=""))
        table.create_foreign_key(
            op.f("fk_hand_ins_revoked_by_users"), "users", ["revoked_by"], ["id"], ondelete="SET NULL"
        )
    op.create_index(
        "ix_hand_ins_revoked_at",
        "hand_ins",
        ["revoked_at", "id"],
        unique=False,
        sqlite_where=_REVOKED,
        postgresql_where=_REVOKED,
    )


def downgrade() -> None:
    op.drop_index("ix_hand_ins_revoked_at", table_name="hand_ins")
    with op.batch_alter_table("hand_ins") as table:
        table.drop_constraint(op.f("fk_hand_ins_revoked_by_users"), type_="foreignkey")
        table.drop_column("revocation")
        table.drop_column("revoked_at")
        table.drop_column("revoked_by")
    op.drop_column("users", "time_zone")
