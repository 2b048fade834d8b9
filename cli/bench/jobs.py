"""What the benchmark and its device process say to each other: one JSON object a line."""

import json
from dataclasses import asdict, dataclass
from typing import Self

__all__ = ["DeviceJob", "ScanTimes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceJob:
    """Scans to make at once.

    Attributes:
        target: ``host:port`` of the device listener.
        frames: Folder with the frames, JPEG files in the order of their names.
        frames_per_second: Rate at which a camera would give them.
        tickets: For each scan the token and the hex fingerprint of the challenge key.
        flash: Whether the devices have screens that can flash.
        round_trip_seconds: What the line adds to a round trip.
    """

    target: str
    frames: str
    frames_per_second: float
    tickets: tuple[tuple[str, str], ...]
    flash: bool = False
    round_trip_seconds: float = 0.0

    def to_line(self) -> str:
        """As one line."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Reads a line.

        Raises:
            ValueError: It is not a job.
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
    """What a device saw of one scan.

    Attributes:
        frames: Frames sent.
        dropped: Images dropped because the server gave no credit in time.
        seconds_to_result: From the moment AttemptEnd was handed to the transport to ScanResult; None
            where no result came.
        seconds_from_last_frame: The same from the moment the last frame was handed to the transport.
        error: Why no result came; empty where one did.
    """

    frames: int = 0
    dropped: int = 0
    seconds_to_result: float | None = None
    seconds_from_last_frame: float | None = None
    error: str = ""

    @staticmethod
    def to_line(scans: "tuple[ScanTimes, ...]") -> str:
        """Several scans as one line."""
        return json.dumps([asdict(scan) for scan in scans]) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "tuple[Self, ...]":
        """Reads a line.

        Raises:
            ValueError: It is not an answer to a job.
        """
        try:
            return tuple(cls(**fields) for fields in json.loads(line))
        except TypeError as error:
            raise ValueError("the line describes no scans") from error
