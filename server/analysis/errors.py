"""The errors of an analysis, and the codes of an analysis without a verdict.

The codes are those of the older selfie API (docs/analysis_service.md). An error of the request is an
``AnalysisRefused``, which is a ``server.base.errors.Refusal`` with that API's code beside its reason. An
image without a face and a model that failed are responses of a successful call; see
``server.analysis.results.AnalysisProblem``.
"""

from collections.abc import Mapping
from enum import StrEnum

from server.base.errors import Reason, Refusal

__all__ = ["AnalysisCode", "AnalysisRefused"]


class AnalysisCode(StrEnum):
    """Why there is no verdict."""

    INVALID_REQUEST = "INVALID_REQUEST"
    """The file is missing, too large or not readable; the reason states which."""
    NO_FACE_DETECTED = "NO_FACE_DETECTED"
    """No face was found."""
    MULTIPLE_FACES_DETECTED = "MULTIPLE_FACES_DETECTED"
    """More than one face was found, so the person to analyse is ambiguous. Only Facegate has this code."""
    INFERENCE_ERROR = "INFERENCE_ERROR"
    """A model failed; the same request may succeed."""
    SERVER_ERROR = "SERVER_ERROR"
    """The server failed."""


class AnalysisRefused(Refusal):
    """A refused analysis request: the file cannot be analysed, or the messages are not as the API demands.

    Attributes:
        code: The code of the contract; also in ``details``.
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
