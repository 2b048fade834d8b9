"""Identifies callers of the service listener: by API key, access token or certificate, or any on loopback."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import structlog
from grpc.aio import ServicerContext

from server.access.access_tokens import MAX_TOKEN_CHARACTERS, AccessTokens
from server.access.api_keys import ApiKey, ApiKeys
from server.access.callers import Caller, Role
from server.access.client_certificates import ClientCertificates
from server.audit import Actor
from server.base.errors import ConfigurationError, Reason, Refusal
from server.base.private_files import WatchedFile
from server.edge.forwarded import TrustedProxies
from server.telemetry.stages import Metadata

_LONGEST_ADDRESS = 64

_SCHEME = "bearer "
_PARTS_OF_TOKENS = 3
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
        tokens: AccessTokens | None = None,
        local_sandbox: bool = False,
        proxies: TrustedProxies | None = None,
    ) -> None:
        """Set the credentials that the listener accepts.

        If certificates are configured beside API keys or access tokens, the key or token identifies the
        caller, and the certificate must be of the same tenant.

        Args:
            certificates: The client certificates that may call; ``None`` if none are listed.
            tokens: The access tokens that may call; ``None`` if no issuer is configured.
            local_sandbox: Whether callers without credentials are sandbox callers.
            proxies: The proxies that say who called; ``None`` if no header is read.
        """
        self._api_keys = api_keys
        self._tokens = tokens
        self._certificates = certificates
        self._now = now
        self._proxies = proxies
        self._local = Caller(name="local", tenant=LOCAL_TENANT, sandbox=local_sandbox)

    @property
    def content(self) -> object:
        """An object that identifies the file of keys as read: a new one after each reading."""
        return None if self._api_keys is None else self._api_keys.content

    @property
    def entries(self) -> Mapping[str, str]:
        """The entries of all callers in words, for the audit log, by a fingerprint of the credentials.

        API keys are named by the beginning of the hash in their file, certificates by their identity, and
        what access tokens grant by a claim.
        """
        described = {} if self._certificates is None else dict(self._certificates.described)
        if self._tokens is not None:
            described |= self._tokens.described
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
        """Read the files of keys again if they changed; return whether that of API keys is in force.

        If a file cannot be used, the error is logged and the keys stay in force. It blocks for a moment.
        """
        if self._tokens is not None:
            try:
                if self._tokens.issuer.read_file():
                    _log.info("jwks_file_read")
            except ConfigurationError as error:
                _log.error("jwks_file_unusable", why=str(error))
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

    async def prepare(self, context: ServicerContext[Any, Any]) -> None:
        """Get the keys of the issuer if the access token of a call needs them; decide nothing."""
        if self._tokens is not None and (sent := _bearer(context.invocation_metadata())) is not None:
            await self._tokens.refresh(sent)

    def identify(self, context: ServicerContext[Any, Any]) -> Caller:
        """Return the caller.

        Raises:
            Refusal: UNAUTHENTICATED. For an access token also PERMISSION_DENIED, if it grants nothing, or
                NOT_SERVING, if the issuer is away and its key not known.
        """
        holder = self._holder(context)
        if self._certificates is None:
            return holder or self._local
        shown = context.auth_context().get("x509_pem_cert") or [b""]
        certified = self._certificates.find(next(iter(shown)), now=self._now())
        if holder is not None and holder.tenant != certified.tenant:
            raise Refusal(
                Reason.UNAUTHENTICATED,
                "the API key or access token and the client certificate are of different tenants; both must "
                "be of the same",
            )
        return holder or certified

    def seconds_left(self, caller: Caller) -> float | None:
        """Seconds until the credentials of a call expire; ``None`` if they do not."""
        return None if caller.expires is None else (caller.expires - self._now()).total_seconds()

    def identify_again(self, context: ServicerContext[Any, Any], *, caller: Caller) -> None:
        """Refuse a running call if its credentials no longer identify the caller that was admitted.

        Raises:
            Refusal: UNAUTHENTICATED.
        """
        if self.identify(context) != caller:
            raise Refusal(
                Reason.UNAUTHENTICATED,
                "the entry of these credentials has changed since the call began; call again",
            )

    def address_of(self, context: ServicerContext[Any, Any]) -> str:
        """Return the address of the caller, without the port, as the audit log accepts it."""
        # grpc writes ipv4:192.0.2.7:4711, ipv6:%5B2001:db8::7%5D:4711 and unix:path.
        kind, _, place = unquote(context.peer()).partition(":")
        address = place.rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else kind
        if self._proxies is not None:
            sent = context.invocation_metadata() or ()
            address = self._proxies.address_of(
                address,
                forwarded=[str(value) for name, value in sent if name == "forwarded"],
                forwarded_for=[str(value) for name, value in sent if name == "x-forwarded-for"],
            )
        return printable_address(address)

    @property
    def _callers(self) -> tuple[Caller, ...]:
        if self._api_keys is None and self._tokens is None:
            return (self._local,) if self._certificates is None else self._certificates.callers
        keys = () if self._api_keys is None else self._api_keys.content.keys
        return (*(key.caller for key in keys), *(() if self._tokens is None else self._tokens.callers))

    def holder_of_key(self, key: str) -> Caller | None:
        """Return the caller of an API key; ``None`` for an unknown one.

        Raises:
            Refusal: The key has expired (UNAUTHENTICATED).
        """
        return None if self._api_keys is None else self._valid(self._api_keys.content.find(key))

    def holder_of_hash(self, digest: bytes) -> Caller | None:
        """Return the caller of the API key with this SHA-256; see ``holder_of_key``."""
        return None if self._api_keys is None else self._valid(self._api_keys.content.with_hash(digest))

    def _valid(self, key: ApiKey | None) -> Caller | None:
        if key is None:
            return None
        if key.expires is not None and self._now() >= key.expires:
            raise Refusal(Reason.UNAUTHENTICATED, "the API key has expired; ask the operator for a new one")
        return replace(key.caller, expires=key.expires)

    def _holder(self, context: ServicerContext[Any, Any]) -> Caller | None:
        """Return the caller of an API key or access token; ``None`` if neither is configured."""
        if self._api_keys is None and self._tokens is None:
            return None
        wanted = " or ".join(
            word
            for word, there in (("API key", self._api_keys), ("access token", self._tokens))
            if there is not None
        )
        sent = _bearer(context.invocation_metadata())
        if sent is None:
            raise Refusal(
                Reason.UNAUTHENTICATED, f"no {wanted}: send the metadata `authorization: Bearer <{wanted}>`"
            )
        key = self.holder_of_key(sent)
        if key is not None:
            return key
        if self._tokens is not None and len(sent.split(".")) == _PARTS_OF_TOKENS:
            return self._tokens.find(sent, now=self._now())
        raise Refusal(
            Reason.UNAUTHENTICATED,
            f"the {wanted} is not known; send `authorization: Bearer <{wanted}>` with one for this server",
        )


def actor_of(caller: Caller, address: str) -> Actor:
    """Return the caller of a call for the audit log."""
    return Actor(name=caller.name, role=",".join(sorted(caller.roles)), address=address)


def printable_address(address: str) -> str:
    """Return an address as the audit log accepts it."""
    return "".join(character for character in address if character.isprintable())[:_LONGEST_ADDRESS]


def _bearer(metadata: Metadata | None) -> str | None:
    for key, value in metadata or ():
        if key == "authorization" and isinstance(value, str) and value.lower().startswith(_SCHEME):
            # One character more than is accepted, so that a longer one is refused and not shortened.
            return value[len(_SCHEME) :].strip()[: MAX_TOKEN_CHARACTERS + 1]
    return None
