"""Selects the kept images of a check that its result names and returns."""

from collections.abc import Sequence

from server.storage.records import AttemptRecord, EvidenceEntry, ImagePurpose


def result_pictures(
    entries: Sequence[EvidenceEntry], attempts: Sequence[AttemptRecord]
) -> tuple[EvidenceEntry, ...]:
    """Returns the images of the attempt that the result is about: the evidence frame, then the audit images.

    This is the last attempt that was judged or, if none was judged, the last one with an evidence frame. The
    signature of the result covers the hashes of these images, so no other image may be returned with it.

    Args:
        entries: Every kept image of the check, in the order of their rows.
        attempts: Every attempt of the check, by number.
    """
    judged = [attempt.number for attempt in attempts if attempt.judgement is not None]
    shown = [entry.attempt for entry in entries if entry.kind is ImagePurpose.EVIDENCE_FRAME]
    if not judged and not shown:
        return ()
    about = judged[-1] if judged else max(shown)
    own = [entry for entry in entries if entry.attempt == about]
    return (
        *(entry for entry in own if entry.kind is ImagePurpose.EVIDENCE_FRAME),
        *(entry for entry in own if entry.kind is ImagePurpose.AUDIT_IMAGE),
    )
