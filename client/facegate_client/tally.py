"""What a scan and its attempts sent so far."""

from dataclasses import dataclass

__all__ = ["AttemptTally", "ScanTally"]


@dataclass(slots=True)
class ScanTally:
    """What a scan sent so far, over all attempts and streams.

    Attributes:
        frames: Frames sent with an index.
        bytes: Their encoded bytes.
        dropped: Images dropped before they got an index.
        awaiting_result: Whether an AttemptEnd was sent that no result answered yet.
    """

    frames: int = 0
    bytes: int = 0
    dropped: int = 0
    awaiting_result: bool = False


class AttemptTally:
    """What one attempt of a scan sent so far."""

    def __init__(self, scan: ScanTally) -> None:
        """Begins a new attempt, which no result is awaited of.

        Args:
            scan: Of the scan; kept up to date.
        """
        self._scan = scan
        self._frames = 0
        self._dropped = 0
        self._dropped_before = 0
        scan.awaiting_result = False

    @property
    def frames(self) -> int:
        """Frames sent with an index: the index of the next."""
        return self._frames

    @property
    def dropped(self) -> int:
        """Images dropped before they got an index."""
        return self._dropped

    @property
    def dropped_before(self) -> int:
        """Those dropped since the last frame."""
        return self._dropped_before

    @property
    def scan_bytes(self) -> int:
        """Encoded bytes of the whole scan."""
        return self._scan.bytes

    def drop(self, count: int) -> None:
        """Take that images were dropped."""
        self._dropped += count
        self._dropped_before += count
        self._scan.dropped += count

    def send(self, size: int) -> None:
        """Take that a frame of ``size`` bytes is sent."""
        self._dropped_before = 0
        self._frames += 1
        self._scan.frames += 1
        self._scan.bytes += size

    def end(self) -> None:
        """Take that the AttemptEnd is sent."""
        self._scan.awaiting_result = True

    def answer(self) -> None:
        """Take that its result came."""
        self._scan.awaiting_result = False
