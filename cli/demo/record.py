"""The record of one check of the demo."""

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
    """Durations of the parts of a check, in seconds, measured at the clients.

    Attributes:
        upload: UploadTrustedImage.
        capture: From ScanFace to the last AttemptEnd; 0 without a scan.
        decision: From the last AttemptEnd to its ScanResult; 0 without a scan.
        finish: FinishCheck; 0 if the portrait was refused.
    """

    upload: float
    capture: float = 0.0
    decision: float = 0.0
    finish: float = 0.0

    @property
    def total(self) -> float:
        """Duration of the whole check."""
        return self.upload + self.capture + self.decision + self.finish


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRecord:
    """One check of the demo with its outcome.

    Attributes:
        scenario: The scenario with the expected outcome.
        portrait: The trusted image, JPEG.
        strip: A few frames of the scan, JPEGs; empty without a scan, and if ``flash`` shows it.
        flash: The scan under the screen's colours; None without a flash, and if no frame shows a colour.
        hints: Feedback codes in the order of their arrival, without repetitions in a row.
        timings: Its durations.
        refusal: The error that refused the portrait; None if it was accepted.
        response: The response with the result; None if the portrait was refused.
        signature_verified: Whether the result's signature verifies with the server's published keys, and
            the hash of its image and the check agree; False without a result.
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
        """The result; None if the portrait was refused."""
        return None if self.response is None else self.response.result

    @property
    def status(self) -> Status:
        """The status, or REFUSED."""
        if self.result is None:
            return Status.REFUSED
        return _STATUSES.get(self.result.status, Status.FAILURE)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of the result's reasons, most important first, or of the refusal; empty with SUCCESS."""
        if self.result is not None:
            return failure_words(self.result)
        return () if self.refusal is None else (self.refusal.reason,)

    @property
    def attack_passed(self) -> bool:
        """Whether an attack was accepted as a living person."""
        return self.scenario.attack and self.status is Status.SUCCESS

    @property
    def as_expected(self) -> bool | None:
        """Whether the outcome is the expected one; None if the scenario expects none.

        A result whose signature does not verify is never as expected.
        """
        if self.response is not None and not self.signature_verified:
            return False
        expected = self.scenario.expected
        return None if expected is None else expected.met_by(self.status, self.reasons)
