"""Keyed hashes take the place of the subject references in the tables of devices."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from alembic import context, op

from server.storage.errors import SchemaOutdated

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

_BATCH: Final = 1000
_KEYS: Final = {
    "enrolled_keys": ("tenant", "kind", "key_sha256"),
    "device_key_uses": ("tenant", "key", "check_id"),
    "scan_memories": ("tenant", "check_id"),
}
_INDEXED: Final = ("device_key_uses", "scan_memories")
_TYPES: Final[Mapping[str, Any]] = {
    "check_id": sa.Uuid(),
    "key": sa.LargeBinary(),
    "key_sha256": sa.LargeBinary(),
}


def upgrade() -> None:
    """Hashes the references in place, and renames the columns."""
    for name, key in _KEYS.items():
        _hash_references(name, key)
    for name in _INDEXED:
        op.drop_index(f"ix_{name}_tenant_subject", name)
    for name in _KEYS:
        # PostgreSQL and SQLite rewrite such a table without the older values.
        with op.batch_alter_table(name) as table:
            table.alter_column(
                "subject",
                new_column_name="subject_hash",
                existing_type=sa.String(256),
                type_=sa.String(64),
                existing_nullable=False,
            )
    for name in _INDEXED:
        op.create_index(f"ix_{name}_tenant_subject_hash", name, ["tenant", "subject_hash"])


def downgrade() -> None:
    """Renames the columns, and empties them: references cannot be computed from their hashes."""
    for name in _INDEXED:
        op.drop_index(f"ix_{name}_tenant_subject_hash", name)
    for name in _KEYS:
        with op.batch_alter_table(name) as table:
            table.alter_column(
                "subject_hash",
                new_column_name="subject",
                existing_type=sa.String(64),
                type_=sa.String(256),
                existing_nullable=False,
            )
        op.execute(sa.update(_table(name)).values(subject=""))
    for name in _INDEXED:
        op.create_index(f"ix_{name}_tenant_subject", name, ["tenant", "subject"])


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(one, _TYPES.get(one, sa.String())) for one in (*columns, "subject")))


def _hash_references(name: str, key: tuple[str, ...]) -> None:
    connection = op.get_bind()
    table = _table(name, *key)
    columns = [table.c[one] for one in key]
    named = connection.execute(sa.select(*columns, table.c.subject).where(table.c.subject != "")).all()
    hash_subject = context.config.attributes.get("hash_subject")
    if not named:
        return
    if hash_subject is None:
        raise SchemaOutdated(
            "the database has subject references in clear, which are hashed with the keys of the server: run "
            "facegate db upgrade where the key folder is"
        )
    statement = (
        sa.update(table)
        .where(*(column == sa.bindparam(f"of_{column.name}") for column in columns))
        .values(subject=sa.bindparam("hash"))
    )
    for at in range(0, len(named), _BATCH):
        values = [
            {f"of_{one}": value for one, value in zip(key, row[:-1], strict=True)}
            | {"hash": hash_subject(row.tenant, row.subject)}
            for row in named[at : at + _BATCH]
        ]
        connection.execute(statement, values)
