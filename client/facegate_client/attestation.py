"""The platform's word for the session key."""

from collections.abc import AsyncIterator
from typing import Protocol

from facegate.v1 import device_pb2

from facegate_client.scan_stream import ScanStream
from facegate_protocol import evidence_challenge

__all__ = ["Attestor", "NoAttestation", "PlatformEvidence"]

_MAX_ATTESTATIONS = 4


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


class PlatformEvidence:
    """The evidence of one scan, and what the app found on the device beside it."""

    def __init__(self, attestor: Attestor, findings: device_pb2.RuntimeFindings | None) -> None:
        """Nothing is sent yet.

        Args:
            attestor: Makes the evidence.
            findings: Sent with each piece, to servers that take them; the app reports nothing where None.
        """
        self._attestor = attestor
        self._findings = b"" if findings is None else findings.SerializeToString()
        self._sent = 0

    @property
    def reports(self) -> bool:
        """Whether the app reports what it found."""
        return bool(self._findings)

    async def send(self, stream: ScanStream) -> None:
        """Makes evidence for a stream and sends it piece by piece.

        H is new in every stream, so it is made anew after a reconnect, up to the server's limit.
        """
        if self._sent >= _MAX_ATTESTATIONS:
            return
        findings = self._findings if stream.challenge.attestation.runtime_findings else b""
        challenge = evidence_challenge(binding=stream.binding, findings=findings)
        async for evidence in self._attestor.attest(binding=challenge):
            self._sent += 1
            await stream.send_attestation(evidence, findings=findings)
            if self._sent >= _MAX_ATTESTATIONS:
                return
