import asyncio

from facegate.v1 import feedback_pb2, scan_pb2

from facegate_client import ScanEvents


class Recorder(ScanEvents):
    """Records the events of a scan."""

    def __init__(self) -> None:
        self.hints: list[int] = []
        self.losses: list[str] = []
        self.waits: list[tuple[int, float]] = []
        self.lost = asyncio.Event()
        self.finished: list[int] = []
        self.pauses: list[bool] = []
        self.sent = 0

    def feedback(self, feedback: feedback_pb2.Feedback) -> None:
        self.hints.append(feedback.code)

    def connection_lost(self, reconnect: int, wait_s: float, cause: str) -> None:
        self.losses.append(cause)
        self.waits.append((reconnect, wait_s))
        self.lost.set()

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        self.finished.append(result.attempt)

    def paused(self, pause: scan_pb2.CapturePause) -> None:
        self.pauses.append(pause.paused)

    def frame_sent(self, attempt: int, index: int, size: int) -> None:
        self.sent += 1
