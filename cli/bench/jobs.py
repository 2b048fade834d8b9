"""The messages between the benchmark and its device process: one JSON object per line."""

import json
from dataclasses import asdict, dataclass
from typing import Self

__all__ = ["DeviceJob", "ScanTimes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceJob:
    """Scans to make in parallel.

    Attributes:
        target: ``host:port`` of the device listener.
        frames: Folder with the frames, JPEG files in the order of their names.
        frames_per_second: Their rate.
        tickets: For each scan, the token and the hex fingerprint of the challenge key.
        flash: Whether the devices have screens that can flash.
        round_trip_seconds: Additional round-trip time of the simulated network.
    """

    target: str
    frames: str
    frames_per_second: float
    tickets: tuple[tuple[str, str], ...]
    flash: bool = False
    round_trip_seconds: float = 0.0

    def to_line(self) -> str:
        """Returns the job as one line."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Parses a line.

        Raises:
            ValueError: The line is not a job.
        """
        try:
            fields = json.loads(line)
            tickets = tuple((str(token), str(fingerprint)) for token, fingerprint in fields["tickets"])
            return cls(
                target=str(fields["target"]),
                frames=str(fields["frames"]),
                frames_per_second=float(fields["frames_per_second"]),
                tickets=tickets,
                flash=bool(fields["flash"]),
                round_trip_seconds=float(fields["round_trip_seconds"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError("the line is not a job") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTimes:
    """A device's measurements of one scan.

    Attributes:
        frames: Frames sent.
        dropped: Images dropped because the server gave no credit in time.
        capture_seconds: From the handover of the first frame to the transport to that of the last one.
        seconds_to_result: From the handover of AttemptEnd to the transport to ScanResult; None without a
            result.
        seconds_from_last_frame: The same from the handover of the last frame to the transport.
        error: Why no result came; empty if one came.
    """

    frames: int = 0
    dropped: int = 0
    capture_seconds: float = 0.0
    seconds_to_result: float | None = None
    seconds_from_last_frame: float | None = None
    error: str = ""

    @staticmethod
    def to_line(scans: "tuple[ScanTimes, ...]") -> str:
        """Returns several scans as one line."""
        return json.dumps([asdict(scan) for scan in scans]) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "tuple[Self, ...]":
        """Parses a line.

        Raises:
            ValueError: The line is not an answer to a job.
        """
        try:
            return tuple(cls(**fields) for fields in json.loads(line))
        except TypeError as error:
            raise ValueError("the line describes no scans") from error
