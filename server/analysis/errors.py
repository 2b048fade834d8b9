"""What an analysis answers where there is no verdict.

The codes are those of seed 002's contract. What is wrong with the request is an ``AnalysisRefused``, a
``server.errors.Refusal`` with the contract's code beside its reason; what only the picture can show (no
face) and a model that failed are answers of a call that succeeded, see
``server.analysis.results.AnalysisProblem``.
"""

from collections.abc import Mapping
from enum import StrEnum

from server.errors import Reason, Refusal

__all__ = ["AnalysisCode", "AnalysisRefused"]


class AnalysisCode(StrEnum):
    """Why there is no verdict."""

    INVALID_REQUEST = "INVALID_REQUEST"
    """The file is missing, too large or none that is read; the reason says which."""
    NO_FACE_DETECTED = "NO_FACE_DETECTED"
    """No face was found."""
    MULTIPLE_FACES_DETECTED = "MULTIPLE_FACES_DETECTED"
    """More than one face was found, so that nobody knows whose liveness is asked for; Facegate's own."""
    INFERENCE_ERROR = "INFERENCE_ERROR"
    """A model failed; the same request may succeed."""
    SERVER_ERROR = "SERVER_ERROR"
    """The server failed."""


class AnalysisRefused(Refusal):
    """A file that cannot be analysed.

    Attributes:
        code: The contract's code; also in ``details``.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        details: Mapping[str, str | int | float] | None = None,
        code: AnalysisCode = AnalysisCode.INVALID_REQUEST,
    ) -> None:
        super().__init__(reason, message, details={"code": code.value, **(details or {})})
        self.code = code
