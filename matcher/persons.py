"""Selects the faces of an image that count as persons."""

from collections.abc import Sequence

from vision.face import DetectedFace

__all__ = ["persons_among"]


def persons_among(
    faces: Sequence[DetectedFace], *, second_face_fraction: float, min_confidence: float
) -> tuple[DetectedFace, ...]:
    """Return the widest sure face, and every other sure face that is wide enough for a second person.

    Detectors sometimes find a face in a fold or a pattern, at a confidence just above their own threshold.
    Such a face counts only if the image has no better one. Faces much smaller than the widest are posters,
    badges and passers-by in the background, and do not make the image ambiguous.

    Args:
        faces: All faces that the detector found.
        second_face_fraction: Least width of a further person over the widest face's width, greater
            than 0 and at most 1.
        min_confidence: Least confidence of a sure face, 0..1. If no face reaches it, only the
            most confident one counts.

    Returns:
        Widest first; empty only if ``faces`` is.
    """
    if not faces:
        return ()
    sure = [face for face in faces if face.confidence >= min_confidence]
    if not sure:
        return (max(faces, key=lambda face: face.confidence),)
    by_width = sorted(sure, key=lambda face: face.box.width, reverse=True)
    limit = second_face_fraction * by_width[0].box.width
    return tuple(face for face in by_width if face.box.width >= limit)
