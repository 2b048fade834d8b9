"""Common options of the commands of the audit log."""

from datetime import UTC, datetime
from typing import Annotated

import typer

__all__ = ["SinceOption", "TenantOption", "in_utc"]

TenantOption = Annotated[
    str | None,
    typer.Option(help="Tenant of the entries; `_server` for those of the installation. By default all."),
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
        help="Entries of this time or later; UTC unless it has an offset.",
    ),
]


def in_utc(time: datetime | None) -> datetime | None:
    """Returns the time of an option with its time zone, which is UTC if it has none."""
    return time if time is None or time.tzinfo is not None else time.replace(tzinfo=UTC)
