# The notice of the schema, which is that of ISO/IEC 39794-1, stands in blocks.py.
"""The blocks that ISO/IEC 39794-1 defines for all its parts, as far as a face image uses them."""

from dataclasses import dataclass
from typing import Annotated, Final

from matcher.records.asn1 import Integer, Octets, Tagged
from matcher.records.asn1_structures import Alternatives, ExtensibleCode, Sequence, SequenceOf
from matcher.records.iso_39794.codes import (
    PadContext39794,
    PadCriteria39794,
    PadDecision39794,
    PadSupervision39794,
    ScoringError39794,
)

__all__ = [
    "DATE_TIME",
    "REGISTRY_ID",
    "DateTimeBlock",
    "ExtendedDataBlock",
    "PadDataBlock",
    "PadScoreBlock",
    "QualityBlock39794",
    "RegistryIdBlock",
    "ScoreOrError",
    "VersionBlock",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionBlock:
    """Edition of the standard: generation 3 and year 2019 for the first."""

    generation: Annotated[int, Tagged(0, Integer(3, 0xFFFF))]
    year: Annotated[int, Tagged(1, Integer(2019, 9999))]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryIdBlock:
    """A registered organisation, and its number of a product or an algorithm."""

    organization: Annotated[int, Tagged(0, Integer(1, 0xFFFF))]
    id: Annotated[int, Tagged(1, Integer(1, 0xFFFF))]


REGISTRY_ID: Final = Sequence(RegistryIdBlock, extensible=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTimeBlock:
    """A time in UTC, as exact as it is known."""

    year: Annotated[int, Tagged(0, Integer(0, 9999))]
    month: Annotated[int | None, Tagged(1, Integer(1, 12))] = None
    day: Annotated[int | None, Tagged(2, Integer(1, 31))] = None
    hour: Annotated[int | None, Tagged(3, Integer(0, 23))] = None
    minute: Annotated[int | None, Tagged(4, Integer(0, 59))] = None
    second: Annotated[int | None, Tagged(5, Integer(0, 59))] = None
    millisecond: Annotated[int | None, Tagged(6, Integer(0, 999))] = None


DATE_TIME: Final = Sequence(DateTimeBlock, extensible=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOrError:
    """A score, 0..100 and higher is better, or why there is none (``codes.ScoringError39794``)."""

    score: Annotated[int | None, Tagged(0, Integer(0, 100))] = None
    error: Annotated[int | None, Tagged(1, ExtensibleCode(ScoringError39794))] = None


_SCORE_OR_ERROR: Final = Alternatives(ScoreOrError)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityBlock39794:
    """The quality score that one algorithm gives the image."""

    algorithm_id: Annotated[RegistryIdBlock, Tagged(0, REGISTRY_ID)]
    score_or_error: Annotated[ScoreOrError, Tagged(1, _SCORE_OR_ERROR)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PadScoreBlock:
    """The score that one mechanism of presentation attack detection gives."""

    mechanism_id: Annotated[RegistryIdBlock, Tagged(0, REGISTRY_ID)]
    score_or_error: Annotated[ScoreOrError, Tagged(1, _SCORE_OR_ERROR)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedDataBlock:
    """Data of a registered type."""

    data_type_id: Annotated[RegistryIdBlock, Tagged(0, REGISTRY_ID)]
    data: Annotated[bytes, Tagged(1, Octets())]


@dataclass(frozen=True, slots=True, kw_only=True)
class PadDataBlock:
    """What presentation attack detection found when the image was taken; the issuer's claim."""

    decision: Annotated[int | None, Tagged(0, ExtensibleCode(PadDecision39794))] = None
    scores: Annotated[tuple[PadScoreBlock, ...] | None, Tagged(1, SequenceOf(Sequence(PadScoreBlock)))] = None
    extended_data: Annotated[
        tuple[ExtendedDataBlock, ...] | None,
        Tagged(2, SequenceOf(Sequence(ExtendedDataBlock, extensible=False))),
    ] = None
    capture_context: Annotated[int | None, Tagged(3, ExtensibleCode(PadContext39794))] = None
    supervision_level: Annotated[int | None, Tagged(4, ExtensibleCode(PadSupervision39794))] = None
    risk_level: Annotated[int | None, Tagged(5, Integer(0, 100))] = None
    criteria_category: Annotated[int | None, Tagged(6, ExtensibleCode(PadCriteria39794))] = None
    parameter: Annotated[bytes | None, Tagged(7, Octets())] = None
    challenges: Annotated[tuple[bytes, ...] | None, Tagged(8, SequenceOf(Octets()))] = None
    capture_date_time: Annotated[DateTimeBlock | None, Tagged(9, DATE_TIME)] = None
