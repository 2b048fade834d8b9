"""What came out of one check of the demo."""

from dataclasses import dataclass

from facegate.v1 import result_pb2, verification_service_pb2

from cli.demo.flash import FlashStrip
from cli.demo.scenarios import Scenario, Status
from cli.verdict import failure_words
from facegate_client import ServerError

__all__ = ["DemoRecord", "Timings"]

_STATUSES = {
    result_pb2.CHECK_STATUS_SUCCESS: Status.SUCCESS,
    result_pb2.CHECK_STATUS_NOT_DECIDED: Status.NOT_DECIDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds that the parts of a check took, as the clients saw them.

    Attributes:
        upload: UploadTrustedImage.
        capture: From ScanFace to the last AttemptEnd; 0 without a scan.
        decision: From the last AttemptEnd to its ScanResult; 0 without a scan.
        finish: FinishCheck; 0 without a scan.
    """

    upload: float
    capture: float = 0.0
    decision: float = 0.0
    finish: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.upload + self.capture + self.decision + self.finish


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRecord:
    """One check of the demo, from what was shown to what came out.

    Attributes:
        scenario: What was shown, and what was expected.
        portrait: The trusted image, JPEG.
        strip: A few frames of the scan, JPEGs; empty without a scan, and where ``flash`` shows it.
        flash: The scan under the screen's colours; None without a flash, and where no frame shows a colour.
        hints: Feedback codes in the order in which they came, without repetitions in a row.
        timings: How long it took.
        refusal: Why the portrait was refused; None where it was accepted.
        response: The verdict; None where the portrait was refused.
        signature_verified: Whether the verdict's signature, its picture's hash and the check agree
            with the server's published keys; False without a verdict.
    """

    scenario: Scenario
    portrait: bytes
    strip: tuple[bytes, ...] = ()
    flash: FlashStrip | None = None
    hints: tuple[int, ...] = ()
    timings: Timings
    refusal: ServerError | None = None
    response: verification_service_pb2.FinishCheckResponse | None = None
    signature_verified: bool = False

    @property
    def result(self) -> result_pb2.CheckResult | None:
        """The verdict; None where the portrait was refused."""
        return None if self.response is None else self.response.result

    @property
    def status(self) -> Status:
        """How it ended."""
        if self.result is None:
            return Status.REFUSED
        return _STATUSES.get(self.result.status, Status.FAILURE)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of the reasons, most important first; empty with SUCCESS."""
        if self.result is not None:
            return failure_words(self.result)
        return () if self.refusal is None else (self.refusal.reason,)

    @property
    def attack_passed(self) -> bool:
        """Whether an attack was taken for a living person."""
        return self.scenario.attack and self.status is Status.SUCCESS

    @property
    def as_expected(self) -> bool | None:
        """Whether the outcome is the expected one; None where nothing was expected.

        A verdict whose signature does not verify is never as expected.
        """
        if self.response is not None and not self.signature_verified:
            return False
        expected = self.scenario.expected
        return None if expected is None else expected.met_by(self.status, self.reasons)
