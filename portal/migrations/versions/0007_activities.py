"""Activities: what learners hand in; and the day on which a question was right again"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WAITING = sa.text("verdict IS NULL")

_RIGHT_AGAIN = """
WITH answers AS (
    SELECT t.user_id, a.question_id, t.finished_at AS at
    FROM quiz_answers a JOIN quiz_attempts t ON t.id = a.attempt_id
    WHERE a.correct AND t.finished_at IS NOT NULL
    UNION ALL
    SELECT s.user_id, a.question_id, a.given_at AS at
    FROM practice_answers a JOIN practice_sessions s ON s.id = a.session_id
    WHERE a.correct AND a.given_at IS NOT NULL
),
again AS (
    SELECT c.user_id, c.question_id, MIN(a.at) AS at
    FROM review_cards c JOIN answers a ON a.user_id = c.user_id AND a.question_id = c.question_id
    WHERE {answered} > {first}
    GROUP BY c.user_id, c.question_id
)
UPDATE review_cards SET right_again_at = again.at
FROM again
WHERE again.user_id = review_cards.user_id AND again.question_id = review_cards.question_id
"""


def upgrade() -> None:
    op.create_table(
        "activity_works",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("activity_id", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_activity_works_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_works")),
        sa.UniqueConstraint("user_id", "activity_id", name=op.f("uq_activity_works_user_id_activity_id")),
    )
    op.create_table(
        "hand_ins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("work_id", sa.Integer(), nullable=False),
        sa.Column("link", sa.String(length=500), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", sa.Integer(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(length=12), nullable=True),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claimed_by"], ["users.id"], name=op.f("fk_hand_ins_claimed_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["users.id"], name=op.f("fk_hand_ins_decided_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["work_id"],
            ["activity_works.id"],
            name=op.f("fk_hand_ins_work_id_activity_works"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_ins")),
    )
    op.create_index("ix_hand_ins_work_id", "hand_ins", ["work_id"], unique=False)
    op.create_index("ix_hand_ins_decided_at", "hand_ins", ["decided_at", "id"], unique=False)
    op.create_index(
        "uq_hand_ins_waiting",
        "hand_ins",
        ["work_id"],
        unique=True,
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index(
        "ix_hand_ins_queue",
        "hand_ins",
        ["created_at", "id"],
        unique=False,
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.add_column("review_cards", sa.Column("right_again_at", sa.DateTime(timezone=True), nullable=True))
    postgres = op.get_bind().dialect.name == "postgresql"
    day = "({} AT TIME ZONE 'UTC')::date" if postgres else "date({})"
    op.execute(_RIGHT_AGAIN.format(answered=day.format("a.at"), first=day.format("c.first_right_at")))


def downgrade() -> None:
    op.drop_column("review_cards", "right_again_at")
    op.drop_index("ix_hand_ins_queue", table_name="hand_ins")
    op.drop_index("uq_hand_ins_waiting", table_name="hand_ins")
    op.drop_index("ix_hand_ins_decided_at", table_name="hand_ins")
    op.drop_index("ix_hand_ins_work_id", table_name="hand_ins")
    op.drop_table("hand_ins")
    op.drop_table("activity_works")
