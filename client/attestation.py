"""The platform's word for the session key."""

from collections.abc import AsyncIterator
from typing import Protocol

from facegate.v1 import device_pb2

__all__ = ["Attestor", "NoAttestation"]


class Attestor(Protocol):
    """Makes the platform's evidence; it may take seconds and runs beside the frames.

    A platform that fails gives an AttestationUnavailable with its reason; nothing is raised.
    """

    def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        """Evidence whose own challenge is ``binding``, 32 bytes.

        That is the binding hash H of the stream, or the evidence challenge E where findings are sent beside
        the evidence. Each piece is sent as soon as it is there; at most 4 in a scan, over all its streams.
        """
        ...


class NoAttestation:
    """A platform without any: says so, so that the server need not wait."""

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        """One AttestationUnavailable with REASON_NOT_SUPPORTED.

        Args:
            binding: Not used.
        """
        del binding
        reason = device_pb2.AttestationUnavailable.REASON_NOT_SUPPORTED
        yield device_pb2.Attestation(unavailable=device_pb2.AttestationUnavailable(reason=reason))
