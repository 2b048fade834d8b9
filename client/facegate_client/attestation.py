"""The platform's evidence for the session key."""

from collections.abc import AsyncIterator
from typing import Protocol

from facegate.v1 import device_pb2

from facegate_client.scan_stream import ScanStream
from facegate_protocol import evidence_challenge

_MAX_ATTESTATIONS = 4


class Attestor(Protocol):
    """Makes the platform's evidence. This may take seconds and runs concurrently with the frames.

    If the platform fails, it yields an AttestationUnavailable with the reason. It raises nothing.
    """

    def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        """Yields pieces of evidence, each as soon as the platform made it. Each is sent at once.

        At most 4 pieces are sent in a scan, over all its streams.

        Args:
            binding: The challenge for the platform to sign, 32 bytes: the binding hash H of the stream, or
                the evidence challenge E if run-time findings are sent with the evidence.
        """
        ...


class NoAttestation:
    """An attestor for a platform without attestation. It states that, so that the server does not wait."""

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        """Yields one AttestationUnavailable with REASON_NOT_SUPPORTED.

        Args:
            binding: Not used.
        """
        del binding
        reason = device_pb2.AttestationUnavailable.REASON_NOT_SUPPORTED
        yield device_pb2.Attestation(unavailable=device_pb2.AttestationUnavailable(reason=reason))


class PlatformEvidence:
    """The evidence of one scan, with the app's run-time findings."""

    def __init__(self, attestor: Attestor, findings: device_pb2.RuntimeFindings | None) -> None:
        """Starts with nothing sent.

        Args:
            findings: The run-time findings, sent with each piece to servers that support them; ``None`` if
                the app reports none.
        """
        self._attestor = attestor
        self._findings = b"" if findings is None else findings.SerializeToString()
        self._sent = 0

    @property
    def reports(self) -> bool:
        """Whether the app reports run-time findings."""
        return bool(self._findings)

    async def send(self, stream: ScanStream) -> None:
        """Makes evidence for a stream and sends it piece by piece.

        The binding hash H differs in every stream, so the evidence is made again after a reconnect, as often
        as the server allows.
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
