"""Identifies callers of the service listener: by API key, by client certificate, or any on loopback."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import structlog
from grpc.aio import ServicerContext

from server.access.api_keys import ApiKeys
from server.access.callers import Caller, Role
from server.access.client_certificates import ClientCertificates
from server.audit import Actor
from server.base.errors import ConfigurationError, Reason, Refusal
from server.base.private_files import WatchedFile
from server.telemetry.stages import Metadata

_LONGEST_ADDRESS = 64

_SCHEME = "bearer "
_MAX_KEY_CHARACTERS = 512
LOCAL_TENANT = "default"
"""The tenant of callers without credentials, possible on loopback only."""

_log = structlog.get_logger(__name__)


class CallerIdentifier:
    """Identifies callers by the metadata and the certificate of a call, before its message is read."""

    def __init__(
        self,
        *,
        api_keys: WatchedFile[ApiKeys] | None,
        certificates: ClientCertificates | None,
        now: Callable[[], datetime],
        local_sandbox: bool = False,
    ) -> None:
        """Sets the credentials that the listener accepts.

        If both are configured, the API key identifies the caller, and the certificate must be of the same
        tenant.

        Args:
            api_keys: The file of keys; ``None`` if none is configured.
            certificates: The client certificates that may call; ``None`` if none are listed.
            now: Wall clock, UTC; keys expire.
            local_sandbox: Whether callers without credentials are sandbox callers.
        """
        self._api_keys = api_keys
        self._certificates = certificates
        self._now = now
        self._local = Caller(name="local", tenant=LOCAL_TENANT, sandbox=local_sandbox)

    @property
    def content(self) -> object:
        """An object that identifies the file of keys as read: a new one after each reading."""
        return None if self._api_keys is None else self._api_keys.content

    @property
    def entries(self) -> Mapping[str, str]:
        """The entries of all callers in words, for the audit log, by a fingerprint of the credentials.

        API keys are named by the beginning of the hash in their file, certificates by their identity.
        """
        described = {} if self._certificates is None else dict(self._certificates.described)
        if self._api_keys is not None:
            for key in self._api_keys.content.keys:
                expires = "never" if key.expires is None else f"{key.expires:%Y-%m-%dT%H:%M:%SZ}"
                described[f"key {key.sha256.hex()[:16]}"] = f"{key.caller.described}; expires {expires}"
        return described

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants that have an orchestrator."""
        return frozenset(caller.tenant for caller in self._callers if Role.ORCHESTRATOR in caller.roles)

    @property
    def has_several_scopes(self) -> bool:
        """Whether orchestrators of several tenants are configured, or both real and sandbox ones."""
        return len({caller.scope for caller in self._callers if Role.ORCHESTRATOR in caller.roles}) > 1

    @property
    def has_sandbox(self) -> bool:
        """Whether any caller is a sandbox caller."""
        return any(caller.sandbox for caller in self._callers)

    @property
    def seconds_to_next_expiry(self) -> float | None:
        """Seconds until the next API key expires, negative if one has expired; ``None`` if no key expires."""
        expiry = None if self._api_keys is None else self._api_keys.content.next_expiry
        return None if expiry is None else (expiry - self._now()).total_seconds()

    def refresh(self) -> bool:
        """Reads the file of keys again if it changed; returns whether the file is in force.

        If the file cannot be used, the error is logged and the keys stay in force. Blocks for a moment.
        """
        if self._api_keys is None:
            return True
        try:
            if self._api_keys.refresh():
                _log.info(
                    "api_keys_read", path=str(self._api_keys.path), entries=len(self._api_keys.content.keys)
                )
        except ConfigurationError as error:
            _log.error("api_keys_unusable", path=str(self._api_keys.path), why=str(error))
            return False
        return True

    def identify(self, context: ServicerContext[Any, Any]) -> Caller:
        """Returns the caller.

        Raises:
            Refusal: UNAUTHENTICATED.
        """
        holder = None if self._api_keys is None else self._holder(self._api_keys.content, context)
        if self._certificates is None:
            return holder or self._local
        shown = context.auth_context().get("x509_pem_cert") or [b""]
        certified = self._certificates.find(next(iter(shown)), now=self._now())
        if holder is not None and holder.tenant != certified.tenant:
            raise Refusal(
                Reason.UNAUTHENTICATED,
                "the API key and the client certificate are of different tenants; both must be of the same",
            )
        return holder or certified

    def identify_again(self, context: ServicerContext[Any, Any], *, caller: Caller) -> None:
        """Refuses a running call if its credentials no longer identify the caller that was admitted.

        Raises:
            Refusal: UNAUTHENTICATED.
        """
        if self.identify(context) != caller:
            raise Refusal(
                Reason.UNAUTHENTICATED,
                "the entry of these credentials has changed since the call began; call again",
            )

    @property
    def _callers(self) -> tuple[Caller, ...]:
        if self._api_keys is not None:
            return tuple(key.caller for key in self._api_keys.content.keys)
        return (self._local,) if self._certificates is None else self._certificates.callers

    def _holder(self, keys: ApiKeys, context: ServicerContext[Any, Any]) -> Caller:
        key = keys.find(_bearer(context.invocation_metadata()))
        if key is None:
            raise Refusal(
                Reason.UNAUTHENTICATED,
                "the API key is not known; send `authorization: Bearer <key>` with a key of this server",
            )
        if key.expires is not None and self._now() >= key.expires:
            raise Refusal(Reason.UNAUTHENTICATED, "the API key has expired; ask the operator for a new one")
        return key.caller


def actor_of(caller: Caller, context: ServicerContext[Any, Any]) -> Actor:
    """Returns the caller of a call for the audit log."""
    return Actor(name=caller.name, role=",".join(sorted(caller.roles)), address=address_of(context))


def address_of(context: ServicerContext[Any, Any]) -> str:
    """Returns the address of the other side of a call's connection, without the port."""
    # grpc writes ipv4:192.0.2.7:4711, ipv6:%5B2001:db8::7%5D:4711 and unix:path.
    kind, _, place = unquote(context.peer()).partition(":")
    address = place.rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else kind
    return "".join(character for character in address if character.isprintable())[:_LONGEST_ADDRESS]


def _bearer(metadata: Metadata | None) -> str:
    for key, value in metadata or ():
        if key == "authorization" and isinstance(value, str) and value.lower().startswith(_SCHEME):
            return value[len(_SCHEME) :].strip()[:_MAX_KEY_CHARACTERS]
    raise Refusal(Reason.UNAUTHENTICATED, "no API key: send the metadata `authorization: Bearer <key>`")
