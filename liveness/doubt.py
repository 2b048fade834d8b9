"""Doubt about a person, and the challenges that resolve it.

A scan without a challenge decides alone only where its networks are sure (``NetworkCalibration.sure``).
Between that and SPOOF there is doubt (``verdict.DOUBTS``), and the next attempt is a challenge. A doubt of
any attempt of a check lasts until a challenge that resolves it has made an attempt LIVE.

``RESOLVES`` states which challenge resolves which doubt. A challenge resolves a doubt only if it was measured
to stop the attacks that cause it (``docs/accuracy.md``).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from liveness.fusion_model import NetworkCalibration
from liveness.verdict import LivenessResult, Verdict, VerdictReason

__all__ = ["RESOLVES", "ChallengeKind", "DoubtTerms", "unresolved", "without_doubt"]


class ChallengeKind(StrEnum):
    """A challenge that an attempt may make; the values are the words of policy files."""

    FLASH = "flash"
    """Colours of the screen, which the face reflects."""
    MOVEMENT = "movement"
    """An oval that comes closer, which the face follows."""
    GESTURES = "gestures"
    """The mouth opens, and the head turns to a drawn side, in a drawn order."""


_OF_MEDIA: Final = frozenset(
    {
        VerdictReason.NOT_SURE,
        VerdictReason.EVIDENCE_TOO_WEAK,
        VerdictReason.NETWORK_SEES_ATTACK,
        VerdictReason.SHOWS_A_MEDIUM,
        VerdictReason.MOVES_AS_A_PLANE,
        VerdictReason.NO_SIGN_OF_LIFE,
    }
)
"""Doubts whose attacks are prints and screens."""

_OF_PICTURES: Final = frozenset({VerdictReason.SHOWS_TRUSTED_IMAGE, VerdictReason.ONE_PICTURE_MOVED})
"""Doubts whose attack is a picture that software warps: to approach, to turn, to open its mouth. It does not
answer light."""

RESOLVES: Final[Mapping[ChallengeKind, frozenset[VerdictReason]]] = MappingProxyType(
    {
        ChallengeKind.FLASH: _OF_MEDIA | _OF_PICTURES,
        ChallengeKind.MOVEMENT: _OF_MEDIA,
        ChallengeKind.GESTURES: _OF_MEDIA,
    }
)
"""The doubts that each challenge resolves."""


@dataclass(frozen=True, slots=True)
class DoubtTerms:
    """What doubt means for an attempt, under a policy that answers doubt with a challenge.

    Attributes:
        challenge: The challenge that the attempt makes. With ``None``, its networks have to be sure.
        earlier: The doubts of the check's earlier attempts.
    """

    challenge: ChallengeKind | None = None
    earlier: tuple[VerdictReason, ...] = ()


def unresolved(
    doubts: Collection[VerdictReason], challenge: ChallengeKind | None
) -> tuple[VerdictReason, ...]:
    """Returns the doubts that remain after an attempt with this challenge was LIVE; all without one."""
    resolved = frozenset[VerdictReason]() if challenge is None else RESOLVES[challenge]
    return tuple(doubt for doubt in doubts if doubt not in resolved)


def without_doubt(
    found: LivenessResult, terms: DoubtTerms, calibration: NetworkCalibration
) -> LivenessResult:
    """Turns LIVE into INCONCLUSIVE if the networks are not sure, or a doubt remains.

    Args:
        found: The verdict so far.
        terms: The challenge of the attempt, and earlier doubts.
        calibration: The calibration of the scan's networks.
    """
    if found.verdict is not Verdict.LIVE:
        return found
    doubts = unresolved(terms.earlier, terms.challenge)
    sure = calibration.sure is not None and found.score >= calibration.sure
    if terms.challenge is None and not sure:
        doubts = tuple(dict.fromkeys((VerdictReason.NOT_SURE, *doubts)))
    return replace(found, verdict=Verdict.INCONCLUSIVE, reasons=doubts) if doubts else found
