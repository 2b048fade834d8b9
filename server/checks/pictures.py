"""Which of a check's kept pictures its result names, signs and hands out."""

from collections.abc import Sequence

from server.storage.records import AttemptRecord, EvidenceEntry, ImagePurpose


def result_pictures(
    entries: Sequence[EvidenceEntry], attempts: Sequence[AttemptRecord]
) -> tuple[EvidenceEntry, ...]:
    """The pictures of the attempt that the result is about: evidence frame first, then audit images.

    That is the last attempt that was judged or, where none was, the last one that showed a face. The
    result is signed over their hashes, so nothing else may be handed out with it.

    Args:
        entries: Every kept picture of the check, in the order of their rows.
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
