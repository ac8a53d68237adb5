"""Searches: the task, its trials with their learning curves, and what was decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the four tables of searches."""
    _of_a_run(
        "luthier_studies",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("metric", sa.String(80), nullable=False),
        sa.Column("share", sa.Boolean(), nullable=False),
        sa.Column("direction", sa.String(10), nullable=False),
        sa.Column("anchor", sa.Double(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
    )
    op.create_index("ix_luthier_studies_tenant", "luthier_studies", ["tenant"])
    _of_a_run(
        "luthier_trials",
        sa.Column("trial", sa.String(40), primary_key=True),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("parent", sa.String(40), nullable=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    _of_a_run(
        "luthier_points",
        sa.Column("trial", sa.String(40), primary_key=True),
        sa.Column("unit", sa.BigInteger(), primary_key=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("loss", sa.Double(), nullable=True),
        sa.Column("train_loss", sa.Double(), nullable=True),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.Column("measures", sa.Text(), nullable=False),
    )
    _of_a_run(
        "luthier_decisions",
        sa.Column("number", sa.BigInteger(), primary_key=True),
        sa.Column("about", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    """Takes the four tables away."""
    for name in ("luthier_decisions", "luthier_points", "luthier_trials", "luthier_studies"):
        op.drop_table(name)


def _of_a_run(name: str, *columns: sa.Column) -> None:
    owner = sa.Column(
        "run",
        sa.String(40),
        sa.ForeignKey("luthier_runs.id", ondelete="CASCADE", name=f"fk_{name}_run"),
        primary_key=True,
    )
    op.create_table(name, owner, *columns)
