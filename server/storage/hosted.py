"""The checks that are scanned on the server's own page, so that every replica knows them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, update

from server.storage.database import Repository, find_one, reads, writes
from server.storage.records import values_of
from server.storage.tables import hosted_scans


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedScan:
    """A row; see ``server.checks.hosted``. Of what browsers hold it has hashes only.

    Attributes:
        return_url: Where the page returns the person; empty for nowhere.
        expire_time: Until when a first browser may open the link.
        browser_sha256: The browser that opened the link.
        codes: The number of codes that were shown.
        code_sha256: The newest code.
        code_expire_time: Until when a first phone may open it.
        code_reopened: Whether another device opened it, too.
        phone_sha256: The browser of the phone that opened it.
        phone_number: The number that the phone shows and the person repeats in the first browser.
        phone_confirmed: Whether the person did.
        phone_ticket: Whether that phone got what it needs to scan.
    """

    check_id: UUID
    return_url: str
    expire_time: datetime
    browser_sha256: bytes | None = field(default=None, repr=False)
    codes: int = 0
    code_sha256: bytes | None = field(default=None, repr=False)
    code_expire_time: datetime | None = None
    code_reopened: bool = False
    phone_sha256: bytes | None = field(default=None, repr=False)
    phone_number: int | None = field(default=None, repr=False)
    phone_confirmed: bool = False
    phone_ticket: bool = False


class HostedRepository(Repository):
    """Stores them."""

    @reads
    def find(self, connection: Connection, check_id: UUID) -> HostedScan | None:
        """Return the row of a check; None if it has none, or is erased."""
        return _find(connection, hosted_scans.c.check_id == check_id)

    @reads
    def find_by_code(self, connection: Connection, code_sha256: bytes) -> HostedScan | None:
        """Return the row whose newest code this is."""
        return _find(connection, hosted_scans.c.code_sha256 == code_sha256)

    @reads
    def knows_browser(self, connection: Connection, sha256: bytes) -> bool:
        """Return whether a check belongs to this browser or phone."""
        columns = hosted_scans.c
        query = select(columns.check_id).where(
            or_(columns.browser_sha256 == sha256, columns.phone_sha256 == sha256)
        )
        return connection.execute(query.limit(1)).first() is not None

    @writes
    def change(
        self, connection: Connection, check_id: UUID, change: Callable[[HostedScan], HostedScan]
    ) -> HostedScan | None:
        """Change a row that nobody else changes meanwhile; return it, or None if there is none.

        Args:
            change: Returns what the row becomes; if it raises, nothing changes.
        """
        found = _find(connection, hosted_scans.c.check_id == check_id, lock=True)
        if found is None:
            return None
        changed = change(found)
        if changed != found:
            connection.execute(
                update(hosted_scans).where(hosted_scans.c.check_id == check_id).values(values_of(changed))
            )
        return changed


def add_hosted_scan(connection: Connection, scan: HostedScan) -> None:
    """Add a row in the transaction that creates its check."""
    connection.execute(insert(hosted_scans).values(values_of(scan)))


def remove_hosted_scan(connection: Connection, check_id: UUID) -> None:
    """Remove the row of a check that is erased."""
    connection.execute(delete(hosted_scans).where(hosted_scans.c.check_id == check_id))


def _find(connection: Connection, chosen: ColumnElement[bool], *, lock: bool = False) -> HostedScan | None:
    query = select(hosted_scans).where(chosen)
    return find_one(connection, query.with_for_update() if lock else query, HostedScan)
