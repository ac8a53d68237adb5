"""Runs the steps inside the transaction that the caller has opened."""

from __future__ import annotations

from alembic import context

from luthier.store.sql.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
