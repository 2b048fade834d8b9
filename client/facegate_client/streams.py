"""The streams of one scan: the first one, and another after each lost connection."""

import grpc
from facegate.v1 import scan_pb2, verification_service_pb2_grpc

from facegate_client.device_keys import SessionKey
from facegate_client.scan_stream import ScanStream, ScanTicket, open_stream

__all__ = ["ScanStreams"]


class ScanStreams:
    """Opens the streams, all with one session key, which proves that they belong to one scan."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        ticket: ScanTicket,
        profile: scan_pb2.ScanStart,
        stream_timeout_s: float,
        handshake_timeout_s: float,
    ) -> None:
        """Makes the session key, before any challenge is known.

        Args:
            channel: To the device listener.
            ticket: Token and pinned fingerprint.
            profile: ScanStart with everything but token, keys and ``resume``.
            stream_timeout_s: gRPC deadline of one stream, seconds.
            handshake_timeout_s: The longest wait for a Challenge, seconds.
        """
        self._stub = verification_service_pb2_grpc.VerificationServiceStub(channel)
        self._ticket = ticket
        self._profile = profile
        self._session = SessionKey()
        self._stream_timeout_s = stream_timeout_s
        self._handshake_timeout_s = handshake_timeout_s
        self._opened = 0

    @property
    def opened(self) -> int:
        """The number of streams with a challenge."""
        return self._opened

    async def open(self) -> ScanStream:
        """Opens the first stream of the scan, or resumes the scan in a further one.

        Raises the errors of ``open_stream``.
        """
        stream = await open_stream(
            self._stub,
            ticket=self._ticket,
            session=self._session,
            profile=self._profile,
            resume=self._opened > 0,
            stream_timeout_s=self._stream_timeout_s,
            handshake_timeout_s=self._handshake_timeout_s,
        )
        self._opened += 1
        return stream
