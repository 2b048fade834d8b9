"""The sessions of the console in the database, so that every replica knows them."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Delete, and_, delete, false, insert, or_, select, update

from server.storage.database import Repository, find_all, find_one, reads, writes
from server.storage.records import values_of
from server.storage.tables import console_sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A row; see ``server.access.sessions``.

    Attributes:
        end_time: When the session ends unless it is used.
    """

    secret_sha256: bytes
    content: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    issuer_subject: bytes
    issuer_session: bytes
    end_time: datetime


class SessionRepository(Repository):
    """Stores sessions."""

    @writes
    def add(self, connection: Connection, session: StoredSession, *, replaces: bytes | None) -> None:
        """Add a session.

        Args:
            replaces: The ``secret_sha256`` of the session that ends with it; ``None`` if there is none.
        """
        if replaces is not None:
            connection.execute(_delete(replaces))
        connection.execute(insert(console_sessions).values(values_of(session)))

    @reads
    def find(self, connection: Connection, secret_sha256: bytes) -> StoredSession | None:
        """Return a session, also one that has ended and was not removed yet."""
        query = select(console_sessions).where(console_sessions.c.secret_sha256 == secret_sha256)
        return find_one(connection, query, StoredSession)

    @writes
    def extend(self, connection: Connection, secret_sha256: bytes, end_time: datetime) -> None:
        """Set the time at which a session ends unless it is used."""
        connection.execute(
            update(console_sessions)
            .where(console_sessions.c.secret_sha256 == secret_sha256)
            .values(end_time=end_time)
        )

    @writes
    def remove(self, connection: Connection, secret_sha256: bytes) -> None:
        """Remove a session."""
        connection.execute(_delete(secret_sha256))

    @writes
    def remove_of_issuer(
        self, connection: Connection, *, subject: bytes, session: bytes
    ) -> tuple[StoredSession, ...]:
        """Remove and return the sessions that began under a session of the issuer, or by a subject of it.

        Args:
            subject: ``issuer_subject``; empty if it is not known.
            session: ``issuer_session``; empty for all of the subject. Sessions of the subject for which none
                is known end, too.
        """
        columns = console_sessions.c
        chosen = [columns.issuer_session == session] if session else []
        if subject:
            of_subject = columns.issuer_subject == subject
            chosen.append(and_(of_subject, columns.issuer_session == b"") if session else of_subject)
        query = delete(console_sessions).where(or_(false(), *chosen)).returning(console_sessions)
        return find_all(connection, query, StoredSession)

    @writes
    def expire_sessions(self, connection: Connection, now: datetime) -> int:
        """Remove the sessions that have ended; return their number."""
        return connection.execute(delete(console_sessions).where(console_sessions.c.end_time <= now)).rowcount


def _delete(secret_sha256: bytes) -> Delete:
    return delete(console_sessions).where(console_sessions.c.secret_sha256 == secret_sha256)
