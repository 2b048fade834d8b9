"""Who calls the service listener: an API key, a client certificate, or anyone on loopback."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from grpc.aio import ServicerContext

from server.api_keys import ApiKeyEntry, ApiKeys, Role
from server.errors import Reason, Refusal

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]
"""Names and values that came with a call, before its message."""

_SCHEME = "bearer "
_MAX_KEY_CHARACTERS = 512
LOCAL_TENANT = "default"
"""The tenant of callers without credentials, possible on loopback only."""


class CallerIdentifier:
    """Tells who calls."""

    def __init__(
        self, *, api_keys: ApiKeys | None, client_certificates: bool, local_sandbox: bool = False
    ) -> None:
        """Takes what the listener was configured with.

        Args:
            api_keys: The keys; ``None`` where none are configured.
            client_certificates: Whether the listener demands client certificates.
            local_sandbox: Whether callers without credentials are sandbox callers.
        """
        self._api_keys = api_keys
        self._client_certificates = client_certificates
        self._local_sandbox = local_sandbox

    @property
    def tenants(self) -> frozenset[str] | None:
        """Every tenant that has an orchestrator; None where any client certificate's name is one."""
        if self._api_keys is not None:
            entries = (entry for _, entry in self._api_keys.entries)
            return frozenset(entry.tenant for entry in entries if entry.role is Role.ORCHESTRATOR)
        return None if self._client_certificates else frozenset({LOCAL_TENANT})

    @property
    def has_sandbox(self) -> bool:
        """Whether any caller is a sandbox caller."""
        if self._api_keys is not None:
            return any(entry.sandbox for _, entry in self._api_keys.entries)
        return not self._client_certificates and self._local_sandbox

    def check_key(self, metadata: Metadata | None) -> None:
        """Refuses callers without a key of this server, where keys are configured.

        Raises:
            Refusal: UNAUTHENTICATED.
        """
        if self._api_keys is not None:
            _holder(self._api_keys, metadata)

    def identify(self, context: ServicerContext[Any, Any], *, role: Role) -> ApiKeyEntry:
        """The caller, who must have ``role``.

        Raises:
            Refusal: UNAUTHENTICATED or PERMISSION_DENIED.
        """
        caller = self._caller(context)
        if caller.role is not role:
            raise Refusal(
                Reason.PERMISSION_DENIED,
                f"these credentials are for {caller.role.value}; the call is for {role.value}",
                details={"role": caller.role.value, "requiredRole": role.value},
            )
        return caller

    def _caller(self, context: ServicerContext[Any, Any]) -> ApiKeyEntry:
        if self._api_keys is not None:
            return _holder(self._api_keys, context.invocation_metadata())
        if self._client_certificates:
            names = list(context.auth_context().get("x509_common_name", ()))
            if not names:
                raise Refusal(Reason.UNAUTHENTICATED, "the client certificate has no common name")
            name = names[0].decode(errors="replace")
            return ApiKeyEntry(name=name, tenant=name, role=Role.ORCHESTRATOR)
        return ApiKeyEntry(
            name="local", tenant=LOCAL_TENANT, role=Role.ORCHESTRATOR, sandbox=self._local_sandbox
        )


def _holder(keys: ApiKeys, metadata: Metadata | None) -> ApiKeyEntry:
    caller = keys.find(_bearer(metadata))
    if caller is None:
        raise Refusal(
            Reason.UNAUTHENTICATED,
            "the API key is not known; send `authorization: Bearer <key>` with a key of this server",
        )
    return caller


def _bearer(metadata: Metadata | None) -> str:
    for key, value in metadata or ():
        if key == "authorization" and isinstance(value, str) and value.lower().startswith(_SCHEME):
            return value[len(_SCHEME) :].strip()[:_MAX_KEY_CHARACTERS]
    raise Refusal(Reason.UNAUTHENTICATED, "no API key: send the metadata `authorization: Bearer <key>`")
