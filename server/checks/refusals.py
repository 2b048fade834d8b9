"""What the matcher refuses, as what an orchestrator is told."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from matcher.errors import RefusalReason, TrustedImageRefused
from server.errors import Reason, Refusal

__all__ = ["refusal_of"]

_REASONS: Final[Mapping[RefusalReason, Reason]] = MappingProxyType(
    {
        RefusalReason.IMAGE_EMPTY: Reason.IMAGE_EMPTY,
        RefusalReason.IMAGE_TOO_LARGE: Reason.IMAGE_TOO_LARGE,
        RefusalReason.IMAGE_TOO_MANY_PIXELS: Reason.IMAGE_TOO_MANY_PIXELS,
        # Too small for any face of the demanded eye distance: the same remedy, a larger picture.
        RefusalReason.IMAGE_TOO_SMALL: Reason.EYE_DISTANCE_TOO_SMALL,
        RefusalReason.IMAGE_FORMAT_NOT_SUPPORTED: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
        RefusalReason.IMAGE_ANIMATED: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
        RefusalReason.IMAGE_MALFORMED: Reason.IMAGE_MALFORMED,
        RefusalReason.RECORD_MALFORMED: Reason.IMAGE_MALFORMED,
        RefusalReason.RECORD_NOT_ONE_FACE: Reason.MULTIPLE_FACES,
        RefusalReason.RECORD_WRONG_MODALITY: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
        RefusalReason.ISO_39794_NOT_SUPPORTED: Reason.ISO_39794_NOT_SUPPORTED,
        RefusalReason.FACE_NOT_FOUND: Reason.FACE_NOT_FOUND,
        RefusalReason.FACE_NOT_UNIQUE: Reason.MULTIPLE_FACES,
        RefusalReason.FACE_CUT_OFF: Reason.FACE_CUT_OFF,
        RefusalReason.EYE_DISTANCE_TOO_SMALL: Reason.EYE_DISTANCE_TOO_SMALL,
        RefusalReason.NOT_CONFORMANT: Reason.IMAGE_NOT_CONFORMANT,
    }
)


def refusal_of(error: TrustedImageRefused) -> Refusal:
    """The refusal of an upload; its details have the matcher's names in lowerCamelCase (AIP-193)."""
    # "Not one face" is also a record that says it holds none.
    no_face = error.reason is RefusalReason.RECORD_NOT_ONE_FACE and error.details.get("representations") == 0
    return Refusal(
        Reason.FACE_NOT_FOUND if no_face else _REASONS[error.reason],
        str(error),
        details={_camel(name): value for name, value in error.details.items()},
    )


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
