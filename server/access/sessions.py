"""Sessions of the console, as they are stored: what a log-in proved, and for how long.

The browser holds 32 random bytes in a cookie. The server stores their SHA-256 only, and a MAC over the
content, so that whoever can write into the database cannot make a session. This module has no clock and no
storage.
"""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from server.access.callers import Caller, Role, Scope

SECRET_BYTES: Final = 32
STEP_UP: Final = timedelta(minutes=10)
"""How long after a log-in a person may export and erase. It is short, because a machine may be left alone."""
IDLE: Final = timedelta(minutes=15)
"""The longest time between two calls of a session: people who work in the console call more often."""
LONGEST: Final = timedelta(hours=8)
"""The time from the log-in to the end of a session: a working day."""
_CSRF_DOMAIN: Final = b"facegate/v1/console-csrf"
_SESSION_DOMAIN: Final = b"facegate/v1/console-session"


class Login(StrEnum):
    """How a person logged in."""

    OIDC = "oidc"
    API_KEY = "api_key"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A log-in.

    Attributes:
        credential: What admitted the caller, 32 bytes: the SHA-256 of the API key, of the settings of the
            issuer, or of the one-time link. The session ends when the server no longer has it.
        authenticate_time: When the person last proved who they are.
        strong: Whether the log-in meets what exports and erasures demand, apart from its age.
        expire_time: The absolute end.
        issuer_subject: SHA-256 of the subject at the issuer; empty without an issuer.
        issuer_session: SHA-256 of the session (``sid``) at the issuer; empty if it stated none.
    """

    caller: Caller
    login: Login
    credential: bytes = field(repr=False)
    authenticate_time: datetime
    strong: bool
    expire_time: datetime
    issuer_subject: bytes = b""
    issuer_session: bytes = b""


def secret_hash(secret: str) -> bytes:
    """Return the hash under which the session of a cookie is stored, 32 bytes."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def csrf_of(secret: str) -> str:
    """Return the token that a page must send with each call of the session of a cookie."""
    digest = hmac.digest(secret.encode("utf-8", "surrogatepass"), _CSRF_DOMAIN, "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def sealed(session: Session, *, secret_sha256: bytes, key: bytes) -> tuple[bytes, bytes]:
    """Return a session as it is stored, and its MAC.

    Args:
        secret_sha256: See ``secret_hash``.
        key: A key of the server, 32 bytes.
    """
    caller = session.caller
    content = json.dumps(
        {
            "name": caller.name,
            "tenant": caller.tenant,
            "sandbox": caller.sandbox,
            "roles": sorted(caller.roles),
            "scopes": sorted(caller.scopes),
            "login": session.login.value,
            "credential": session.credential.hex(),
            "authenticate_time": session.authenticate_time.timestamp(),
            "strong": session.strong,
            "expire_time": session.expire_time.timestamp(),
            "issuer_subject": session.issuer_subject.hex(),
            "issuer_session": session.issuer_session.hex(),
        }
    ).encode()
    return content, _mac(content, secret_sha256, key)


def opened(content: bytes, mac: bytes, *, secret_sha256: bytes, keys: Sequence[bytes]) -> Session | None:
    """Return a stored session; ``None`` if no key of ``keys`` made its MAC, or it is of another version.

    Args:
        keys: The keys that the server has and had.
    """
    if not any(hmac.compare_digest(_mac(content, secret_sha256, key), mac) for key in keys):
        return None
    try:
        return _parsed(json.loads(content))
    except (KeyError, TypeError, ValueError):
        # Of another version of the server, such as one with other roles.
        return None


def _parsed(found: Mapping[str, Any]) -> Session:
    return Session(
        caller=Caller(
            name=found["name"],
            tenant=found["tenant"],
            sandbox=found["sandbox"],
            roles=frozenset(Role(role) for role in found["roles"]),
            scopes=frozenset(Scope(scope) for scope in found["scopes"]),
        ),
        login=Login(found["login"]),
        credential=bytes.fromhex(found["credential"]),
        authenticate_time=datetime.fromtimestamp(found["authenticate_time"], UTC),
        strong=found["strong"],
        expire_time=datetime.fromtimestamp(found["expire_time"], UTC),
        issuer_subject=bytes.fromhex(found["issuer_subject"]),
        issuer_session=bytes.fromhex(found["issuer_session"]),
    )


def _mac(content: bytes, secret_sha256: bytes, key: bytes) -> bytes:
    return hmac.digest(hmac.digest(key, _SESSION_DOMAIN, "sha256"), secret_sha256 + content, "sha256")


@dataclass(kw_only=True, eq=False)
class Attempts:
    """Counts failed log-ins by address, so that nobody can try many credentials.

    Attributes:
        most: The number of failures within ``window`` after which the address must wait.
        addresses: The maximum number of addresses that are remembered; the oldest are forgotten first.
    """

    most: int
    window: timedelta
    addresses: int
    _failures: dict[str, list[datetime]] = field(default_factory=dict, init=False)

    def seconds_to_wait(self, address: str, now: datetime) -> float:
        """Return how long an address must wait before its next attempt; 0 if it need not."""
        recent = [time for time in self._failures.get(address, ()) if now - time < self.window]
        if len(recent) < self.most:
            return 0.0
        return (recent[-self.most] + self.window - now).total_seconds()

    def record_failure(self, address: str, now: datetime) -> None:
        """Count a failed attempt."""
        recent = [time for time in self._failures.pop(address, ()) if now - time < self.window]
        self._failures[address] = [*recent, now][-self.most :]
        while len(self._failures) > self.addresses:
            del self._failures[next(iter(self._failures))]
