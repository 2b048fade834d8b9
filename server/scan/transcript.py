"""The server's side of a stream's transcript: order, clocks, MACs, and the signed end of an attempt."""

import hmac
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from facegate_protocol import MacChain, attempt_end_message, resume_message, sha256, verify
from server.base.errors import Reason, Refusal
from server.scan.messages import AttemptEndMessage, FrameMessage

MAX_MAC_BYTES = 32
MAX_SIGNATURE_BYTES = 80
# The maximum of the wire's counters; the sum over many frames may exceed it.
_MOST_DROPPED = 2**31 - 1


AHEAD_SECONDS: Final = 1.0
"""How far the capture time since a stream's first frame may exceed the server's time since the stream's first
AttemptStart. A camera cannot deliver frames from the future, but a recording can. The server's time does not
start with the first frame's arrival, because on a busy connection that frame may take longer than later ones,
and an honest device must not be refused."""


class StreamTranscript:
    """Verifies the frames of one stream and refuses every change, omission, swap, repetition or splice."""

    def __init__(
        self,
        *,
        key: bytes,
        binding: bytes,
        session_key: EllipticCurvePublicKey,
        ahead_seconds: float = AHEAD_SECONDS,
    ) -> None:
        """Start with the stream's MAC key, binding hash and session key."""
        self._chain = MacChain(key=key, binding=binding)
        self.binding = binding
        """The stream's binding hash H, 32 bytes."""
        self._session_key = session_key
        self._ahead_seconds = ahead_seconds
        self._attempt = 0
        self._next_index = 0
        self.dropped = 0
        """The number of images that the device reports as dropped in the current attempt."""
        self._last_capture_us: int | None = None
        self._first_capture_us = 0
        self._began: float | None = None

    @property
    def frames(self) -> int:
        """The number of frames received in the current attempt."""
        return self._next_index

    @property
    def final_mac_sha256(self) -> bytes:
        """SHA-256 of the last MAC."""
        return sha256(self._chain.value)

    def prove_resume(self, signature: bytes) -> None:
        """Verify the proof of the session key on a reconnect.

        Raises:
            Refusal: The signature over this stream was not made with the session key (RESUME_PROOF_INVALID).
        """
        if len(signature) > MAX_SIGNATURE_BYTES or not verify(
            public_key=self._session_key, message=resume_message(binding=self.binding), signature=signature
        ):
            raise Refusal(
                Reason.RESUME_PROOF_INVALID,
                "the signature over this stream's binding hash was not made with the session key; reconnect "
                "with the key that the scan began with",
            )

    def start_attempt(self, *, attempt: int, nonce: bytes, time: float) -> None:
        """Add the marker of an attempt to the MAC chain.

        Args:
            time: When AttemptStart is sent, seconds of the server's monotonic clock.
        """
        if self._began is None:
            self._began = time
        self._chain.mark_attempt(attempt=attempt, nonce=nonce)
        self._attempt = attempt
        self._next_index = 0
        self.dropped = 0

    def accept_frame(self, frame: FrameMessage, *, arrival: float) -> None:
        """Receive a frame: verify its order, clock and MAC, and advance the chain.

        Args:
            arrival: When it arrived, seconds of the server's monotonic clock.

        Raises:
            Refusal: FRAME_OUT_OF_ORDER, FRAME_TIME_INVALID or FRAME_MAC_INVALID. The transcript is then
                broken and must not be continued.
        """
        if frame.attempt != self._attempt or frame.index != self._next_index:
            raise Refusal(
                Reason.FRAME_OUT_OF_ORDER,
                f"frame {frame.index} of attempt {frame.attempt} arrived when frame {self._next_index} of "
                f"attempt {self._attempt} was expected; indices increase by one from 0",
                details={
                    "frameIndex": frame.index,
                    "attempt": frame.attempt,
                    "expectedFrameIndex": self._next_index,
                    "expectedAttempt": self._attempt,
                },
            )
        if len(frame.mac) > MAX_MAC_BYTES or not self._chain.accept_frame(
            header=frame.header, image=frame.image, mac=frame.mac
        ):
            raise Refusal(
                Reason.FRAME_MAC_INVALID,
                f"the MAC of frame {frame.index} does not match its bytes and the messages before it",
                details={"frameIndex": frame.index},
            )
        # The clock advances only with frames whose MAC is valid, so that a forged frame cannot move it.
        self._validate_capture_time(frame, arrival)
        self._last_capture_us = frame.capture_time_us
        self._next_index += 1
        self.dropped = min(self.dropped + frame.dropped_before, _MOST_DROPPED)

    def end_attempt(self, end: AttemptEndMessage) -> None:
        """Verify that the device's signed end matches the frames that arrived.

        Raises:
            Refusal: It does not match, or the signature is invalid (ATTEMPT_END_INVALID).
        """
        if (end.attempt, end.frame_count) != (self._attempt, self._next_index):
            raise Refusal(
                Reason.ATTEMPT_END_INVALID,
                f"the device ended attempt {end.attempt} with {end.frame_count} frames, but "
                f"{self._next_index} frames of attempt {self._attempt} arrived",
                details={
                    "attempt": end.attempt,
                    "frameCount": end.frame_count,
                    "expectedAttempt": self._attempt,
                    "arrivedFrames": self._next_index,
                },
            )
        if not hmac.compare_digest(end.last_mac, self._chain.value):
            raise Refusal(Reason.ATTEMPT_END_INVALID, "the last MAC does not match the transcript")
        message = attempt_end_message(binding=self.binding, body=end.body)
        if len(end.signature) > MAX_SIGNATURE_BYTES or not verify(
            public_key=self._session_key, message=message, signature=end.signature
        ):
            raise Refusal(Reason.ATTEMPT_END_INVALID, "the attempt's end was not signed with the session key")
        # Only the end reports images that were dropped after the last frame.
        self.dropped = max(self.dropped, min(end.dropped_count, _MOST_DROPPED))

    def _validate_capture_time(self, frame: FrameMessage, arrival: float) -> None:
        if self._last_capture_us is None:
            self._first_capture_us = frame.capture_time_us
            return
        if frame.capture_time_us <= self._last_capture_us:
            raise Refusal(
                Reason.FRAME_TIME_INVALID,
                f"the capture time of frame {frame.index} does not rise: {frame.capture_time_us} after "
                f"{self._last_capture_us} microseconds",
                details={
                    "frameIndex": frame.index,
                    "captureTimeMicros": frame.capture_time_us,
                    "previousCaptureTimeMicros": self._last_capture_us,
                },
            )
        captured = (frame.capture_time_us - self._first_capture_us) / 1e6
        passed = 0.0 if self._began is None else arrival - self._began
        ahead = captured - passed
        if ahead > self._ahead_seconds:
            raise Refusal(
                Reason.FRAME_TIME_INVALID,
                f"the capture clock of frame {frame.index} is {ahead:.1f} seconds ahead of the time that "
                f"passed since the first attempt began; at most {self._ahead_seconds:g} are possible",
                details={
                    "frameIndex": frame.index,
                    "aheadSeconds": round(ahead, 3),
                    "maxAheadSeconds": self._ahead_seconds,
                },
            )
