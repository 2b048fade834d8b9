"""Begins, finds and ends the sessions of the console."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from server.access.sessions import IDLE, SECRET_BYTES, STEP_UP, Login, Session, opened, sealed, secret_hash
from server.audit import AuditAction, AuditEvent
from server.base.errors import Reason, Refusal
from server.edge.callers import CallerIdentifier, actor_of
from server.edge.status import Opened
from server.storage.audit import AuditLog
from server.storage.sessions import SessionRepository, StoredSession

_SEAL_DOMAIN: Final = b"facegate/v1/console-cookie"
_STEP: Final = timedelta(seconds=20)
"""The time of the last call is stored as coarsely as this, so that few calls write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStores:
    """Where sessions are stored.

    Attributes:
        keys: Returns the keys that protect stored sessions, newest first.
    """

    repository: SessionRepository
    log: AuditLog
    keys: Callable[[], tuple[bytes, ...]]


@dataclass(kw_only=True, eq=False)
class ConsoleSessions(Opened[SessionStores]):
    """The sessions of the console. They are refused until ``open`` is called.

    Attributes:
        callers: Knows the API keys that are in force.
    """

    callers: CallerIdentifier
    now: Callable[[], datetime]
    _credentials: dict[Login, bytes] = field(default_factory=dict, init=False)

    def accept(self, login: Login, credential: bytes) -> None:
        """Set what admits the callers of a kind of log-in other than by API key; earlier ones end."""
        self._credentials[login] = credential

    async def begin(self, session: Session, *, address: str, replaces: bytes | None) -> str:
        """Store a session, after an entry in the audit log, and return the secret of its cookie.

        Args:
            replaces: The hash of the secret of an earlier session of the browser, which ends.
        """
        stores = self.env
        secret = secrets.token_urlsafe(SECRET_BYTES)
        digest, now = secret_hash(secret), self.now()
        content, mac = sealed(session, secret_sha256=digest, key=stores.keys()[0])
        await stores.log.append(
            _event(AuditAction.SESSION_BEGUN, session, address, {"login": session.login.value}), now=now
        )
        await stores.repository.add(
            StoredSession(
                secret_sha256=digest,
                content=content,
                mac=mac,
                issuer_subject=session.issuer_subject,
                issuer_session=session.issuer_session,
                end_time=now + IDLE,
            ),
            replaces=replaces,
        )
        return secret

    async def find(self, secret: str | None, *, used: bool = True) -> Session:
        """Return the session of a cookie.

        Args:
            used: Whether this counts as a use of the session, so that it is not idle.

        Raises:
            Refusal: There is none, it has ended, or what admitted its caller has changed (UNAUTHENTICATED).
        """
        stores = self.env
        if secret is None:
            raise no_session()
        digest, now = secret_hash(secret), self.now()
        row = await stores.repository.find(digest)
        if row is None:
            raise no_session()
        session = opened(row.content, row.mac, secret_sha256=digest, keys=stores.keys())
        if session is None:
            # It may be of a replica with a newer key or version, so it stays.
            raise no_session()
        if min(row.end_time, session.expire_time) <= now or not self._still_admitted(session):
            await stores.repository.remove(digest)
            raise no_session()
        end = now + IDLE
        if used and end - row.end_time >= _STEP:
            await stores.repository.extend(digest, end)
        return session

    async def end(self, secret: str, *, address: str) -> Session:
        """End a session; raise as ``find``."""
        session = await self.find(secret, used=False)
        stores = self.env
        await stores.repository.remove(secret_hash(secret))
        await stores.log.append(_event(AuditAction.SESSION_ENDED, session, address, {}), now=self.now())
        return session

    async def end_of_issuer(self, *, subject: bytes, session: bytes, address: str) -> None:
        """End the sessions of a session or a subject of the issuer; see ``remove_of_issuer``."""
        stores = self.env
        for row in await stores.repository.remove_of_issuer(subject=subject, session=session):
            ended = opened(row.content, row.mac, secret_sha256=row.secret_sha256, keys=stores.keys())
            if ended is not None:
                event = _event(AuditAction.SESSION_ENDED, ended, address, {"by": "issuer"})
                await stores.log.append(event, now=self.now())

    def seal(self, content: bytes) -> bytes:
        """Return a MAC over what the server keeps in a browser; ``is_sealed`` knows it, on every replica."""
        return hmac.digest(self.env.keys()[0], _SEAL_DOMAIN + content, "sha256")

    def is_sealed(self, content: bytes, mac: bytes) -> bool:
        """Return whether ``seal`` made a MAC."""
        keys, text = self.env.keys(), _SEAL_DOMAIN + content
        return any(hmac.compare_digest(hmac.digest(key, text, "sha256"), mac) for key in keys)

    def may_step_up(self, session: Session) -> bool:
        """Return whether the log-in of a session is recent and strong enough for exports and erasures."""
        if session.login is Login.LINK:
            return True
        return session.strong and self.now() - session.authenticate_time <= STEP_UP

    def _still_admitted(self, session: Session) -> bool:
        if session.login is not Login.API_KEY:
            return self._credentials.get(session.login) == session.credential
        try:
            return self.callers.holder_of_hash(session.credential) == session.caller
        except Refusal:
            return False


def no_session() -> Refusal:
    """Return the refusal of a request without a session."""
    return Refusal(Reason.UNAUTHENTICATED, "there is no session, or it has ended; log in")


def _event(action: AuditAction, session: Session, address: str, detail: dict[str, str]) -> AuditEvent:
    return AuditEvent(
        tenant=session.caller.tenant,
        action=action,
        actor=actor_of(session.caller, address),
        detail=detail,
    )
