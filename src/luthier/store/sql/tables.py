"""The tables of the store, and how values are kept in them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from luthier.core.errors import RepairStore

HEAD = "0002"
"""The version of the tables that this code reads and writes."""

VERSION_TABLE = "luthier_version"

METADATA = MetaData()


class Json(TypeDecorator[dict[str, Any]]):
    """A mapping as JSON text, the same on every engine; NaN and any text survive."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str:
        """The text of a mapping.

        Raises: TypeError for a value that JSON cannot hold.
        """
        return json.dumps(value or {}, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, Any]:
        """The mapping of a text.

        Raises: RepairStore when the text is damaged.
        """
        try:
            found = json.loads(value or "{}")
        except ValueError as error:
            raise RepairStore(
                "run store",
                f"a recipe or facts are not JSON: {error}",
                advice="restore the database from a copy",
            ) from error
        return dict(found)


class Words(TypeDecorator[str]):
    """Text that every engine takes: NUL and lone surrogates are written as escapes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str:
        """The text with what a database refuses spelt out."""
        return (value or "").encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


class Moment(TypeDecorator[datetime]):
    """An aware moment, in UTC on every engine."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment in UTC; SQLite gives it back without a zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Number(TypeDecorator[float]):
    """A float; NaN is kept as NULL, because SQLite has no NaN."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """The number, or None for NaN."""
        return None if value is None or math.isnan(value) else float(value)

    def process_result_value(self, value: float | None, dialect: Dialect) -> float:
        """The number, or NaN for NULL."""
        return math.nan if value is None else float(value)


def _run() -> Column[str]:
    return Column(
        "run", String(40), ForeignKey("luthier_runs.id", ondelete="CASCADE"), primary_key=True
    )


RUNS = Table(
    "luthier_runs",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("name", Words(), nullable=False),
    Column("task", String(40), nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("created", Moment(), nullable=False, index=True),
    Column("finished", Moment()),
    Column("recipe", Json(), nullable=False),
    Column("facts", Json(), nullable=False),
    Column("host", Words(), nullable=False),
    Column("pid", BigInteger(), nullable=False),
    Column("began", Text(), nullable=False),
    Column("beat", Moment(), nullable=False),
    Column("deleted", Boolean(), nullable=False),
)

METRICS = Table(
    "luthier_metrics",
    METADATA,
    _run(),
    Column("split", String(40), primary_key=True),
    Column("which", String(10), primary_key=True),
    Column("name", Words(), primary_key=True),
    Column("value", Number()),
    Column("low", Number()),
    Column("high", Number()),
    Column("level", Double()),
)

CURVE = Table(
    "luthier_curve",
    METADATA,
    _run(),
    Column("name", Words(), primary_key=True),
    Column("step", BigInteger(), primary_key=True),
    Column("seconds", Number()),
    Column("value", Number()),
)

USES = Table(
    "luthier_uses",
    METADATA,
    _run(),
    Column("artefact", String(64), primary_key=True, index=True),
)

STUDIES = Table(
    "luthier_studies",
    METADATA,
    _run(),
    Column("tenant", Words(), nullable=False, index=True),
    Column("private", Boolean(), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("family", Words(), nullable=False),
    Column("base", Words(), nullable=False),
    Column("metric", String(80), nullable=False),
    Column("share", Boolean(), nullable=False),
    Column("direction", String(10), nullable=False),
    Column("anchor", Number()),
    Column("rows", BigInteger(), nullable=False),
    Column("features", Json(), nullable=False),
    Column("facts", Json(), nullable=False),
)

TRIALS = Table(
    "luthier_trials",
    METADATA,
    _run(),
    Column("trial", String(40), primary_key=True),
    Column("place", BigInteger(), nullable=False),
    Column("source", String(40), nullable=False),
    Column("config", Json(), nullable=False),
    Column("seed", BigInteger(), nullable=False),
    Column("parent", String(40)),
    Column("status", String(20), nullable=False),
    Column("reason", Words(), nullable=False),
)

POINTS = Table(
    "luthier_points",
    METADATA,
    _run(),
    Column("trial", String(40), primary_key=True),
    Column("unit", BigInteger(), primary_key=True),
    Column("score", Number()),
    Column("loss", Number()),
    Column("train_loss", Number()),
    Column("cost", Number()),
    Column("measures", Json(), nullable=False),
)

DECISIONS = Table(
    "luthier_decisions",
    METADATA,
    _run(),
    Column("number", BigInteger(), primary_key=True),
    Column("about", Json(), nullable=False),
)
