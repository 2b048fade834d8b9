"""Delivers the events of the outbox to their endpoints. Several replicas may each run it.

Events are signed, and sent to public addresses alone unless settings allow others.

A host is resolved once, and each address is tested when its socket is made: no name, spelling of an address
or redirect leads elsewhere.

::

    ConfigurationError    a secret or an authority cannot be read, or is malformed
"""

import asyncio
import base64
import binascii
import os
import secrets
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import aiohttp
import structlog
from standardwebhooks import Webhook
from yarl import URL

from server.base.errors import ConfigurationError
from server.base.private_files import WatchedFile, read_private_file
from server.base.table import is_public
from server.base.version import server_version
from server.configuration.tables import WebhookEndpoint
from server.domain.events import pause_after
from server.running.background import Background
from server.storage.errors import StorageUnavailable
from server.storage.events import EventRepository, StoredEvent
from server.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_LEAST_BYTES: Final = 24
_MOST_BYTES: Final = 64
"""Those of the specification: a secret has 24 to 64 bytes."""
_LONGEST_FILE: Final = 256
_SECONDS: Final = 10.0
"""Time for a whole attempt, from the name of the host to the answer: a receiver that only stores the event
needs far less."""
_ANSWER_BYTES: Final = 64 * 1024
"""What is read of an answer at most, so that its connection ends in good order. None of it is used."""
_GONE: Final = 410


def new_webhook_secret() -> str:
    """Return a new secret of an endpoint."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def read_webhook_secret(path: Path) -> Webhook:
    """Read the secret of an endpoint.

    Raises:
        ConfigurationError: The file cannot be read, others may read it, or it holds no secret.
    """
    content = read_private_file(path, max_bytes=_LONGEST_FILE).decode("ascii", "replace").strip()
    try:
        secret = base64.b64decode(content.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        secret = b""
    if not content.startswith(_PREFIX) or not _LEAST_BYTES <= len(secret) <= _MOST_BYTES:
        raise ConfigurationError(
            f"{path}: it is no secret of a webhook, which is {_PREFIX} and {_LEAST_BYTES} to {_MOST_BYTES} "
            "bytes in Base64; make one by facegate keys new-webhook-secret"
        )
    return Webhook(secret)


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one attempt.

    Attributes:
        words: The outcome for people; it repeats nothing that the endpoint sent.
        delivered: Whether the endpoint took the event: a status of 200 to 299.
        gone: Whether it wants no further event: the status 410.
    """

    words: str
    delivered: bool = False
    gone: bool = False


class _AddressRefused(OSError):
    """An address is not public."""


class Endpoint:
    """An endpoint of the settings, with its secrets and its connections."""

    def __init__(self, name: str, settings: WebhookEndpoint) -> None:
        """Read the secrets.

        Raises:
            ConfigurationError: One of them cannot be used, or the authority.
        """
        self.name = name
        self.tenant = settings.tenant
        self._settings = settings
        try:
            self._secrets = [WatchedFile(file, read_webhook_secret) for file in settings.secret_files]
        except ConfigurationError as error:
            raise ConfigurationError(f"webhooks.endpoints.{name}.secret_files: {error}") from error
        self._tls = self._context()
        self._url = URL(str(settings.url))
        self._session: aiohttp.ClientSession | None = None
        self._usable = True

    def refresh(self) -> None:
        """Read the secrets again if their files changed; those that cannot be read stay in force."""
        try:
            for file in self._secrets:
                if file.refresh():
                    _log.info("webhook_secret_read", endpoint=self.name, path=str(file.path))
        except ConfigurationError as error:
            if self._usable:
                _log.error("webhook_secret_unusable", endpoint=self.name, why=str(error))
            self._usable = False
        else:
            self._usable = True

    async def send(self, event: StoredEvent, now: datetime) -> Answer:
        """Make one attempt to deliver an event; take 10 seconds at most."""
        status = await self._ask("POST", data=event.body.encode(), headers=self._headers(event, now))
        return Answer(status) if isinstance(status, str) else _answer(status)

    async def reach(self) -> str | None:
        """Connect as for an event, and send none; return why there is no answer, else ``None``.

        The endpoint may refuse the request (HEAD), as it refuses whatever is no event.
        """
        status = await self._ask("HEAD")
        return status if isinstance(status, str) else None

    async def _ask(self, method: str, **content: Any) -> int | str:
        """Return the status of the answer, or why there is none."""
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._connections().request(method, self._url, allow_redirects=False, **content) as response,
            ):
                await _drain(response.content)
                return response.status
        except TimeoutError:
            return f"no answer within {_SECONDS:g} seconds"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _words(error)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _headers(self, event: StoredEvent, now: datetime) -> Mapping[str, str]:
        sent, name = now.astimezone(UTC), f"evt_{event.event_id.hex}"
        signatures = (file.content.sign(name, sent, event.body) for file in self._secrets)
        return {
            "content-type": "application/json",
            "user-agent": f"Facegate/{server_version()}",
            "webhook-id": name,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=aiohttp.ThreadedResolver(),
                use_dns_cache=False,
                force_close=True,
                ssl=True if self._tls is None else self._tls,
                socket_factory=self._socket,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _socket(self, found: tuple[Any, ...]) -> socket.socket:
        """Return the socket for an address that was found; the one place where addresses are tested."""
        family, kind, protocol, _, place = found
        address = ip_address(str(place[0]).partition("%")[0])
        if self._url.scheme == "http" and not address.is_loopback:
            raise _AddressRefused(f"{address} is not on this machine, and the url is http://")
        if not self._settings.allow_private and not is_public(address):
            raise _AddressRefused(f"its address {address} is not public, and allow_private is not set")
        return socket.socket(family, kind, protocol)

    def _context(self) -> ssl.SSLContext | None:
        ca = self._settings.ca
        if ca is None:
            return None
        try:
            return ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise ConfigurationError(
                f"webhooks.endpoints.{self.name}.ca: {ca}: it cannot be read, or holds no certificate in "
                f"PEM: {error.strerror or error}"
            ) from error


def open_endpoints(settings: Mapping[str, WebhookEndpoint]) -> tuple[Endpoint, ...]:
    """Return the endpoints of the settings.

    Raises:
        ConfigurationError: A secret or an authority cannot be used.
    """
    return tuple(Endpoint(name, endpoint) for name, endpoint in settings.items())


async def _drain(content: aiohttp.StreamReader) -> None:
    left = _ANSWER_BYTES
    while left > 0 and (part := await content.read(left)):
        left -= len(part)


def _answer(status: int) -> Answer:
    if 200 <= status < 300:
        return Answer(f"HTTP {status}", delivered=True)
    if 300 <= status < 400:
        return Answer(f"HTTP {status}: redirects are not followed; correct the url")
    if status == _GONE:
        return Answer(f"HTTP {status}: the endpoint wants no further events", gone=True)
    return Answer(f"HTTP {status}")


def _words(error: Exception) -> str:
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    for each in causes:
        match each:
            case _AddressRefused():
                return str(each)
            case ssl.SSLCertVerificationError(verify_message=message):
                return f"its certificate is not accepted: {message}"
            case ssl.SSLError(reason=reason):
                return f"the TLS handshake failed: {reason or 'no reason given'}"
            case socket.gaierror():
                return "the name of its host cannot be resolved"
    for each in causes:
        if isinstance(each, OSError) and each.errno:
            return f"the connection failed: {os.strerror(each.errno)}"
    return f"the answer is not HTTP, or the connection was lost: {type(error).__name__}"


_AT_ONCE: Final = 8
"""Events that are sent to one endpoint at once. A slow endpoint blocks no other one."""
_SPREAD: Final = 100
"""By how many thousandths a pause varies, so that the retries of many events do not arrive at once."""


@dataclass(kw_only=True, eq=False)
class EventDelivery(Background):
    """Sends what is due, in a task for each endpoint.

    Attributes:
        seconds: Time between two looks for events that are due.
    """

    failed = "events_not_delivered"
    repository: EventRepository
    endpoints: Sequence[Endpoint]
    metrics: Metrics
    now: Callable[[], datetime]
    seconds: float

    def start(self) -> None:
        """Start the tasks."""
        for endpoint in self.endpoints:
            self.repeat(partial(self._deliver_all, endpoint), self.seconds, endpoint=endpoint.name)

    async def stop(self) -> None:
        """End the tasks, and the connections to the endpoints."""
        await super().stop()
        for endpoint in self.endpoints:
            await endpoint.close()

    async def _deliver_all(self, endpoint: Endpoint) -> None:
        try:
            while await self.deliver(endpoint):
                pass
        except StorageUnavailable as error:
            _log.warning("events_not_delivered", endpoint=endpoint.name, why=str(error))

    async def deliver(self, endpoint: Endpoint) -> int:
        """Send some events that are due; return their number, 0 if none is."""
        if not await self.repository.is_due(endpoint.tenant, endpoint.name, self.now()):
            return 0
        claimed = await self.repository.claim(endpoint.tenant, endpoint.name, self.now(), _AT_ONCE)
        await asyncio.gather(*(self._attempt(endpoint, event) for event in claimed))
        return len(claimed)

    async def _attempt(self, endpoint: Endpoint, event: StoredEvent) -> None:
        answer = await endpoint.send(event, self.now())
        now = self.now()
        pause = None if answer.gone else pause_after(event.attempts)
        if pause is not None:
            pause *= 1 + secrets.randbelow(_SPREAD) / 1000
        settled = await self.repository.settle(
            event, answer=answer.words, now=now, delivered=answer.delivered, pause=pause
        )
        line = {"event_id": str(event.event_id), "endpoint": endpoint.name, "kind": event.kind.value}
        if answer.delivered:
            self.metrics.events.delivered(endpoint.name)
            _log.info("event_delivered", attempts=event.attempts, **line)
            return
        self.metrics.events.failed(endpoint.name)
        _log.warning("event_not_delivered", attempts=event.attempts, why=answer.words, **line)
        dead = int(settled and pause is None)
        if answer.gone:
            dead += await self.repository.abandon(endpoint.tenant, endpoint.name, answer.words, now)
        if dead:
            self.metrics.events.died(endpoint.name, dead)
            _log.error("events_dead", endpoint=endpoint.name, events=dead, why=answer.words)
