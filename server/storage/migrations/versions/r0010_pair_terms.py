"""Terms of every two words of a record together, for lists by two conditions or more."""

from collections.abc import Iterator
from itertools import combinations
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None

_NAMES: Final = ("sign", "attack", "reason", "status", "sandbox", "policy")
_THERE: Final = {("reason", "policy"), ("status", "policy")}
_TERMS: Final = sa.table(
    "record_terms",
    sa.column("tenant"),
    sa.column("term", sa.String()),
    sa.column("decide_time"),
    sa.column("check_id"),
)


def upgrade() -> None:
    """Adds the terms of the records that are there."""
    first, second = _TERMS.alias("first_terms"), _TERMS.alias("second_terms")
    for one, other in _pairs():
        term = (
            sa.literal(f"{one}_{other}")
            + sa.func.substr(first.c.term, len(one) + 1)
            + sa.func.substr(second.c.term, len(other) + 1)
        )
        query = (
            sa.select(first.c.tenant, term, first.c.decide_time, first.c.check_id)
            .join_from(first, second, second.c.check_id == first.c.check_id)
            .where(first.c.term.startswith(f"{one}:"), second.c.term.startswith(f"{other}:"))
        )
        op.execute(sa.insert(_TERMS).from_select(list(_TERMS.c), query))


def downgrade() -> None:
    """Deletes the terms."""
    for one, other in _pairs():
        op.execute(sa.delete(_TERMS).where(_TERMS.c.term.startswith(f"{one}_{other}:", autoescape=True)))


def _pairs() -> Iterator[tuple[str, str]]:
    return (pair for pair in combinations(_NAMES, 2) if pair not in _THERE)
