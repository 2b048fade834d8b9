"""The plan that a database makes for a query, as text."""

from typing import Any

from sqlalchemy import Connection, Executable, Select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement

__all__ = ["plan_of"]


class _Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, query: Select[Any]) -> None:
        self.query = query


@compiles(_Explain, "postgresql")
def _postgresql(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN {compiler.process(element.query, **options)}"


@compiles(_Explain, "sqlite")
def _sqlite(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN QUERY PLAN {compiler.process(element.query, **options)}"


def plan_of(connection: Connection, query: Select[Any]) -> str:
    """The plan of a query. PostgreSQL scans small tables unless it must not, so it must not."""
    if connection.dialect.name == "postgresql":
        for setting in ("enable_seqscan", "enable_bitmapscan"):
            connection.execute(text(f"SET LOCAL {setting} = off"))
    return "\n".join(str(tuple(row)) for row in connection.execute(_Explain(query)))
