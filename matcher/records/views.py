"""Makes the common view of a face from a record of each version."""

from typing import TypeAlias

from matcher.records.iso_19794 import (
    Record2005,
    Record2011,
    Representation2005,
    Representation2011,
    view_of_2005,
    view_of_2011,
)
from matcher.records.iso_39794.blocks import RepresentationBlock
from matcher.records.iso_39794.conversion import view_of_39794
from matcher.records.iso_39794.record import Record39794
from matcher.records.metadata import Representation

FacialRecord: TypeAlias = Record2005 | Record2011 | Record39794
"""A record of any version."""
AnyRepresentation: TypeAlias = Representation2005 | Representation2011 | RepresentationBlock
"""A face as coded, of any version."""


def representation_of(face: AnyRepresentation, *, position: int = 1) -> Representation:
    """Return the common view of one face; ``position`` is its number in its record, from 1."""
    if isinstance(face, RepresentationBlock):
        return view_of_39794(face)
    if isinstance(face, Representation2005):
        return view_of_2005(face, position=position)
    return view_of_2011(face, position=position)


def representations_of(record: FacialRecord) -> tuple[Representation, ...]:
    """Return the common view of every face of a record."""
    faces: tuple[AnyRepresentation, ...] = record.representations
    return tuple(representation_of(face, position=number) for number, face in enumerate(faces, start=1))
