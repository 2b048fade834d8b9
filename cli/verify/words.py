"""The server's findings on images, in a few lines for the terminal."""

from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from matcher.conformance import remedy_for

__all__ = ["evidence_words", "measured_words", "portrait_words"]

_KINDS = {
    service_pb2.EvidenceProblem.KIND_LOST: "is lost: the object store does not have it",
    service_pb2.EvidenceProblem.KIND_ALTERED: "was altered in the object store",
    service_pb2.EvidenceProblem.KIND_UNAVAILABLE: "cannot be reached now; ask again later",
}
_SHORTFALLS = {
    service_pb2.AUDIT_IMAGE_SHORTFALL_POLICY: "the policy keeps no more",
    service_pb2.AUDIT_IMAGE_SHORTFALL_FEWER_CAPTURED: "the scan has no more frames that can serve",
    service_pb2.AUDIT_IMAGE_SHORTFALL_PROBLEMS: "some cannot be returned",
}


def portrait_words(report: service_pb2.PortraitReport) -> str:
    """State that the image was accepted, how to improve it, and where its record disagrees with it."""
    came = f" from {report.container}" if report.container else ""
    lines = [f"Portrait accepted{came}: eyes {report.eye_distance_px:.0f} pixels apart."]
    lines.extend(
        f"  {_advice(requirement)}"
        for requirement in report.requirements
        if requirement.HasField("passed") and not requirement.passed
    )
    lines.extend(f"  Note: {note}." for note in report.notes)
    return "\n".join(lines)


def _advice(requirement: service_pb2.PortraitRequirement) -> str:
    """Return the remedy for a requirement that is not met, with the measurement behind it."""
    remedy = remedy_for(requirement.code, requirement.measured) or "A better image would meet this:"
    return f"{remedy} ({requirement.code}: {measured_words(requirement)}, required: {requirement.required})"


def measured_words(requirement: service_pb2.PortraitRequirement) -> str:
    """Return the measurement of a requirement with its unit, and its score if it has one."""
    score = f", score {requirement.score} of 100" if requirement.HasField("score") else ""
    return f"{requirement.measured}{score}"


def evidence_words(response: service_pb2.FinishCheckResponse) -> tuple[str, ...]:
    """Returns a line for each image that cannot be returned, and one if there are too few audit images."""
    lines = [
        f"The {_name(problem.picture, response.result)} {_KINDS.get(problem.kind, 'cannot be returned')}."
        for problem in response.evidence_problems
    ]
    if response.audit_image_shortfall:
        why = _SHORTFALLS.get(response.audit_image_shortfall, "the reason is unknown to this version")
        lines.append(f"There are {len(response.audit_images)} audit images: {why}.")
    return tuple(lines)


def _name(picture: result_pb2.EvidenceReference, result: result_pb2.CheckResult) -> str:
    name = "evidence frame" if picture == result.evidence_frame else "audit image"
    return f"{name} (frame {picture.frame_index} of attempt {picture.attempt})"
