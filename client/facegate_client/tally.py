"""Counts the frames that a scan and its attempts sent."""

from dataclasses import dataclass

__all__ = ["AttemptTally", "ScanTally"]


@dataclass(slots=True)
class ScanTally:
    """The counts of a scan so far, over all attempts and streams.

    Attributes:
        frames: The number of frames sent with an index.
        bytes: Their encoded bytes.
        dropped: The number of images dropped before they got an index.
        awaiting_result: Whether an AttemptEnd was sent whose result has not arrived yet.
    """

    frames: int = 0
    bytes: int = 0
    dropped: int = 0
    awaiting_result: bool = False


class AttemptTally:
    """The counts of one attempt so far."""

    def __init__(self, scan: ScanTally) -> None:
        """Begins a new attempt, which awaits no result yet.

        Args:
            scan: The counts of the scan, which the attempt updates.
        """
        self._scan = scan
        self._frames = 0
        self._dropped = 0
        self._dropped_before = 0
        scan.awaiting_result = False

    @property
    def frames(self) -> int:
        """The number of frames sent with an index, which is the index of the next."""
        return self._frames

    @property
    def dropped(self) -> int:
        """The number of images dropped before they got an index."""
        return self._dropped

    @property
    def dropped_before(self) -> int:
        """The number of images dropped since the last frame."""
        return self._dropped_before

    @property
    def scan_bytes(self) -> int:
        """Encoded bytes of the whole scan."""
        return self._scan.bytes

    def count_dropped(self, count: int) -> None:
        """Counts dropped images."""
        self._dropped += count
        self._dropped_before += count
        self._scan.dropped += count

    def send(self, size: int) -> None:
        """Counts a sent frame of ``size`` bytes."""
        self._dropped_before = 0
        self._frames += 1
        self._scan.frames += 1
        self._scan.bytes += size

    def note_end(self) -> None:
        """Notes that the AttemptEnd is sent."""
        self._scan.awaiting_result = True

    def note_result(self) -> None:
        """Notes that the result arrived."""
        self._scan.awaiting_result = False
