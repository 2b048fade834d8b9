"""Shows a running scan: hints and progress for the person, in a terminal or a log."""

from typing import Final

from facegate.v1 import feedback_pb2, scan_pb2
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from cli.words import feedback_text
from facegate_client import ScanEvents

__all__ = ["ScanDisplay"]

_LOOK: Final = "look at the camera."
_ASKED: Final = {
    scan_pb2.PLAN_FLASH: "look at the camera. The screen will flash in colours, at most 3 changes a second; "
    "Ctrl-C declines.",
    scan_pb2.PLAN_MOVEMENT: "follow the oval with your face.",
}


class ScanDisplay(ScanEvents):
    """Prints each hint once, and shows a progress bar if the console is a terminal."""

    def __init__(self, console: Console, *, shows_hints: bool) -> None:
        """Shows on ``console``.

        Args:
            console: The console.
            shows_hints: Whether the scanned person reads it.
        """
        self._console = console
        self.shows_hints = shows_hints
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), console=console, transient=True)
        self._task = self._bar.add_task("scanning", total=1.0)
        self._hint: int | None = None
        self._flash = self._declined = False

    def __enter__(self) -> "ScanDisplay":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def attempt_started(self, start: scan_pb2.AttemptStart) -> None:
        """Starts a new bar."""
        self._hint = None
        self._flash, self._declined = start.plan == scan_pb2.PLAN_FLASH, False
        self._bar.update(self._task, completed=0.0, description="scanning")
        self._say(f"Attempt {start.attempt}: {_ASKED.get(start.plan, _LOOK)}")

    def feedback(self, feedback: feedback_pb2.Feedback) -> None:
        """Shows the progress, and the hint if it differs from the one before."""
        self._bar.update(self._task, completed=min(max(feedback.progress, 0.0), 1.0))
        if feedback.code != self._hint:
            self._hint = feedback.code
            self._bar.update(self._task, description=feedback_text(feedback.code))
            self._say(f"  {feedback_text(feedback.code)}")

    def paused(self, pause: scan_pb2.CapturePause) -> None:
        """Shows the reason of an interruption of the capture."""
        if pause.paused:
            self._say(f"  Interrupted. {feedback_text(pause.reason)}")

    def capture_finished(self, attempt: int, frames: int, dropped: int) -> None:
        """Shows the number of frames sent; nothing if the flash was declined before the first."""
        self._declined = self._flash and not frames
        if self._declined:
            return
        lost = f", {dropped} dropped" if dropped else ""
        self._say(f"  {frames} frames sent{lost}. One moment, please.")

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        """Shows hints if the attempt has to be repeated."""
        if self._declined and result.another_attempt:
            self._say("  Continuing without the flash.")
        elif result.status == scan_pb2.SCAN_STATUS_RETRY:
            self._say("  The conditions did not allow a decision.")
            for code in result.feedback:
                self._say(f"  {feedback_text(code)}")

    def connection_lost(self, reconnect: int, wait_s: float, cause: str) -> None:
        """Shows that the client reconnects."""
        self._say(f"  Connection lost ({cause}); reconnect {reconnect} in {wait_s:.1f} s.")

    def _say(self, text: str) -> None:
        self._console.print(escape(text), highlight=False)
