"""Alembic's entry point: runs inside the connection and transaction that ``server.storage.schema`` opened."""

from alembic import context

from server.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter columns in place; Alembic copies the table instead.
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
