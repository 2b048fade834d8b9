"""What the server found in a trusted image, in a few lines for a terminal."""

from facegate.v1 import verification_service_pb2 as service_pb2

__all__ = ["portrait_words"]


def portrait_words(report: service_pb2.PortraitReport) -> str:
    """That the image was accepted, what a better one would do better, and what its record says wrongly."""
    came = f" from {report.container}" if report.container else ""
    lines = [f"Portrait accepted{came}: eyes {report.eye_distance_px:.0f} pixels apart."]
    missed = [
        f"{requirement.code} {requirement.measured} ({requirement.required})"
        for requirement in report.requirements
        if requirement.HasField("passed") and not requirement.passed
    ]
    if missed:
        lines.append(f"  A better one would meet: {'; '.join(missed)}.")
    lines.extend(f"  Note: {note}." for note in report.notes)
    return "\n".join(lines)
