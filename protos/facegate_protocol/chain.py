"""The MAC chain: each frame's MAC covers the frame and the previous MAC, and so all earlier frames.

A frame that is changed, dropped, swapped, repeated or spliced in from another stream breaks the chain
at that frame. HMAC is RFC 2104 with SHA-256.
"""

import hmac

from facegate_protocol.framing import length_prefixed, sha256

_START = b"facegate/v1/chain-start"
_ATTEMPT = b"facegate/v1/chain-attempt"
_FRAME = b"facegate/v1/chain-frame"

MAC_BYTES = 32
"""Length of a MAC."""


class MacChain:
    """The MAC chain of one stream. Device and server advance it by the same steps."""

    def __init__(self, *, key: bytes, binding: bytes) -> None:
        """Start the chain.

        Args:
            key: The MAC key of the stream, 32 bytes.
            binding: The binding hash H, 32 bytes.
        """
        self._key = key
        self._value = self._mac(_START, binding)

    @property
    def value(self) -> bytes:
        """The last MAC, 32 bytes."""
        return self._value

    def mark_attempt(self, *, attempt: int, nonce: bytes) -> bytes:
        """Add an attempt marker and return its MAC, 32 bytes.

        Args:
            attempt: ``AttemptStart.attempt``, from 1.
            nonce: ``AttemptStart.nonce``, 16 bytes.
        """
        self._value = self._mac(_ATTEMPT, self._value, attempt.to_bytes(4, "big"), nonce)
        return self._value

    def add_frame(self, *, header: bytes, image: bytes) -> bytes:
        """Add a frame, as the device does, and return its MAC, 32 bytes.

        Args:
            header: The serialised FrameHeader as sent.
            image: The encoded image as sent.
        """
        self._value = self._frame_mac(header, image)
        return self._value

    def accept_frame(self, *, header: bytes, image: bytes, mac: bytes) -> bool:
        """Add a received frame and return True if its MAC is right; else leave the chain unchanged."""
        # 1. Compute the MAC of the frame over the previous MAC.
        expected = self._frame_mac(header, image)
        # 2. Compare in constant time. If the MACs differ, the chain does not advance.
        if not hmac.compare_digest(expected, mac):
            return False
        # 3. Advance the chain.
        self._value = expected
        return True

    def _frame_mac(self, header: bytes, image: bytes) -> bytes:
        return self._mac(_FRAME, self._value, header, sha256(image))

    def _mac(self, *fields: bytes) -> bytes:
        return hmac.digest(self._key, length_prefixed(*fields), "sha256")
