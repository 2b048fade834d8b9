"""Codes in words, masks as flags; codes that the standard does not name are kept."""

from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.records import codes
from matcher.records.codes import (
    CaptureSource,
    ColourSpace2005,
    ColourSpace2011,
    Expression2005,
    EyeColour,
    FaceImageType2005,
    FaceImageType2011,
    Feature,
    Gender,
    HairColour,
    ImageDataType2011,
    PostAcquisition,
    bits_of,
    describe_code,
    flags_of,
    mask_of,
    named,
    sampling_rate_level,
)


@pytest.mark.parametrize(
    ("kind", "code", "shown"),
    [
        (Gender, 1, "male"),
        (Gender, 3, "unknown (3)"),
        (EyeColour, 3, "brown"),
        (EyeColour, 8, "unknown (8)"),
        (HairColour, 1, "bald"),
        (HairColour, 8, "green"),
        (HairColour, 0xFF, "unknown"),
        (FaceImageType2005, 3, "other"),
        (FaceImageType2011, 3, "post processed frontal"),
        (FaceImageType2011, 0x82, "token frontal 3-D"),
        (ImageDataType2011, 2, "JPEG 2000 lossless"),
        (ColourSpace2005, 4, "other"),
        (ColourSpace2011, 4, "48-bit RGB"),
        (ColourSpace2005, 200, "vendor code 0xc8"),
        (ColourSpace2005, 5, "reserved code 0x05"),
        (CaptureSource, 0x81, "vendor code 0x81"),
        (Expression2005, 0x8001, "vendor code 0x8001"),
        (Expression2005, 8, "reserved code 0x08"),
        (Gender, 0x81, "reserved code 0x81"),
    ],
)
def test_words(kind: type[IntEnum], code: int, shown: str) -> None:
    assert describe_code(kind, code) == shown


def test_a_code_that_is_not_named_stays_a_number() -> None:
    assert named(Gender, 1) is Gender.MALE
    assert named(Gender, 77) == 77
    assert not isinstance(named(Gender, 77), Gender)


def test_every_enumeration_is_looked_up() -> None:
    kinds = [
        kind
        for kind in vars(codes).values()
        if isinstance(kind, type) and issubclass(kind, IntEnum) and kind is not IntEnum
    ]
    assert len(kinds) == 12
    for kind in kinds:
        for member in kind:
            assert named(kind, int(member)) is member
            assert "code" not in describe_code(kind, int(member))


def test_the_versions_code_distortion_with_different_bits() -> None:
    # The 2011 edition uses this code for the head covering.
    assert flags_of(1 | 1 << 10, codes.FEATURE_BITS_2005) == frozenset({Feature.DISTORTING_CONDITION})
    assert flags_of(1 | 1 << 10, codes.FEATURE_BITS_2011) == frozenset({Feature.HEAD_COVERING})
    assert flags_of(1 | 1 << 11, codes.FEATURE_BITS_2011) == frozenset({Feature.DISTORTING_CONDITION})


def test_nothing_specified_is_not_nothing_there() -> None:
    assert flags_of(0, codes.FEATURE_BITS_2005) is None
    assert flags_of(1, codes.FEATURE_BITS_2005) == frozenset()
    # Some writers do not set the "specified" bit.
    assert flags_of(1 << 1, codes.FEATURE_BITS_2005) == frozenset({Feature.GLASSES})


def test_bits_that_are_not_named_are_reported() -> None:
    assert bits_of(0b1000_0000_0011, codes.FEATURE_BITS_2005) == (11,)
    assert bits_of(0b1, codes.POST_ACQUISITION_BITS, specified=False) == ()
    assert bits_of(1 << 15, codes.POST_ACQUISITION_BITS, specified=False) == (15,)


@given(st.none() | st.frozensets(st.sampled_from(sorted(set(Feature) - {Feature.HEAD_COVERING}))))
def test_flags_survive_the_mask(flags: frozenset[Feature] | None) -> None:
    for bits in (codes.FEATURE_BITS_2005, codes.FEATURE_BITS_2011):
        mask = mask_of(flags, bits)
        assert mask is not None
        assert flags_of(mask, bits) == flags


def test_the_post_acquisition_mask_has_no_bit_for_being_specified() -> None:
    flags = frozenset({PostAcquisition.ROTATED, PostAcquisition.SUPER_RESOLUTION})
    assert mask_of(flags, codes.POST_ACQUISITION_BITS, specified=False) == 1 | 1 << 10


@pytest.mark.parametrize(
    ("width", "level"),
    [(0, 0), (179.9, 0), (180, 1), (239, 1), (240, 2), (370, 4), (749, 6), (750, 7), (5000, 7)],
)
def test_sampling_rate_levels(width: float, level: int) -> None:
    assert sampling_rate_level(width) == level
