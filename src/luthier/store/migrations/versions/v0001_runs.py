"""Runs, their metrics and curves, and the artefacts they use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Adds the four tables."""
    _runs()
    _of_a_run(
        "luthier_metrics",
        sa.Column("split", sa.String(40), primary_key=True),
        sa.Column("which", sa.String(10), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("level", sa.Double(), nullable=True),
    )
    _of_a_run(
        "luthier_curve",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("step", sa.BigInteger(), primary_key=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
    )
    _of_a_run("luthier_uses", sa.Column("artefact", sa.String(64), primary_key=True))
    op.create_index("ix_luthier_uses_artefact", "luthier_uses", ["artefact"])


def downgrade() -> None:
    """Takes the four tables away."""
    for name in ("luthier_uses", "luthier_curve", "luthier_metrics", "luthier_runs"):
        op.drop_table(name)


def _runs() -> None:
    op.create_table(
        "luthier_runs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("task", sa.String(40), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("began", sa.Text(), nullable=False),
        sa.Column("beat", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_luthier_runs_created", "luthier_runs", ["created"])


def _of_a_run(name: str, *columns: sa.Column) -> None:
    owner = sa.Column(
        "run",
        sa.String(40),
        sa.ForeignKey("luthier_runs.id", ondelete="CASCADE", name=f"fk_{name}_run"),
        primary_key=True,
    )
    op.create_table(name, owner, *columns)
