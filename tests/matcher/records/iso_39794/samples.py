"""Records of ISO/IEC 39794-5 made by hand and by hypothesis, and the real ones of the test data."""

import dataclasses
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import strategies as st

from formats.der import encode
from matcher.records import asn1
from matcher.records.iso_39794.blocks import RepresentationBlock, VersionBlock
from matcher.records.iso_39794.record import Record39794
from tests.matcher.records.builders import JPEG, PICTURES

_FOLDER = "gmrtd__document__iso39794__test_data__ICAO_39794_5_AP_"
_DG2_FOLDER = "gmrtd__document__test_data__ICAO_39794_5_AP_DG2_"
ALL_FIELDS = f"{_FOLDER}AllFields.dat"
MANDATORY = f"{_FOLDER}MandFields.dat"
INVALID_IMAGE = f"{_FOLDER}MandFields_InvalidImage.dat"
DG2_ALL_FIELDS = f"{_DG2_FOLDER}AllFields.dat"
DG2_MANDATORY = f"{_DG2_FOLDER}MandFields.dat"

VERSION = encode(0xA0, b"\x80\x01\x03\x81\x02\x07\xe3")
_FORMAT = encode(0xA0, b"\x80\x01\x02")


def real_file(assets: Path, name: str) -> bytes:
    """A file of the test data; skips the test without it."""
    file = assets / "data/iso" / name
    if not file.is_file():
        pytest.skip(f"no {name} in the test assets")
    return file.read_bytes()


def image_representation(image: bytes = JPEG, information: bytes = _FORMAT) -> bytes:
    """The field [1] of a representation block."""
    block = encode(0x80, image) + encode(0xA1, information)
    return encode(0xA1, encode(0xA0, encode(0xA0, block)))


def representation(
    behind: bytes = b"", *, image: bytes | None = None, number: bytes = b"\x80\x01\x00"
) -> bytes:
    """A representation block with the mandatory fields, and further ones behind them."""
    return encode(0x30, number + (image_representation() if image is None else image) + behind)


def record_bytes(*blocks: bytes, version: bytes = VERSION, behind: bytes = b"") -> bytes:
    """A record with these representation blocks, and further fields behind them."""
    inside = b"".join(blocks or (representation(),))
    return encode(0xA1, encode(0x65, version + encode(0xA1, inside) + behind))


_IMAGES = st.one_of(st.binary(min_size=1, max_size=60), st.sampled_from(sorted(PICTURES.values())))
_NUMBERS = st.one_of(st.integers(0, 70_000), st.integers(-(1 << 127), (1 << 127) - 1))


def _blocks(type_: type[Any]) -> st.SearchStrategy[Any]:
    """Blocks of a type, with each optional field or without it, with numbers of any range."""
    hints = get_type_hints(type_, include_extras=True)
    fields = {}
    for field in dataclasses.fields(type_):
        (tagged,) = (one for one in get_args(hints[field.name]) if isinstance(one, asn1.Tagged))
        values = _values(tagged.kind)
        mandatory = field.default is dataclasses.MISSING
        fields[field.name] = values if mandatory else st.one_of(st.none(), values)
    return st.builds(type_, **fields)


def _choices(type_: type[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(type_, include_extras=True)
    kinds = {
        name: next(one for one in get_args(hint) if isinstance(one, asn1.Tagged)).kind
        for name, hint in hints.items()
    }
    return st.one_of(
        [
            _values(kind).filter(lambda one: one is not None).map(_one_of(type_, name))
            for name, kind in kinds.items()
        ]
    )


def _one_of(type_: type[Any], name: str) -> Any:
    return lambda value: type_(**{name: value})


def _values(kind: asn1.Kind[Any]) -> st.SearchStrategy[Any]:
    match kind:
        case asn1.Boolean():
            return st.booleans()
        case asn1.Octets():
            return st.binary(max_size=10)
        case asn1.Integer():
            return _NUMBERS
        case asn1.Enumerated() | asn1.ExtensibleCode():
            return st.integers(0, 90)
        case asn1.SequenceOf():
            return st.lists(_values(kind.item), max_size=2).map(tuple)
        case asn1.Sequence():
            return _blocks(kind.type)
        case asn1.Alternatives():
            return _choices(kind.type)
        case asn1.Base():
            inner = _values(kind.inner)
            return st.one_of(st.none(), inner) if kind.extensible else inner
    raise AssertionError(kind)


def _with_image(parts: tuple[RepresentationBlock, bytes]) -> RepresentationBlock:
    block, image = parts
    picture = block.image_representation
    assert picture is not None
    return dataclasses.replace(
        block, image_representation=dataclasses.replace(picture, representation_data=image)
    )


records_39794 = st.deferred(
    lambda: st.builds(
        Record39794,
        representation=st.tuples(
            _blocks(RepresentationBlock).filter(lambda block: block.image_representation is not None), _IMAGES
        ).map(_with_image),
        version=_blocks(VersionBlock),
        wrapped=st.booleans(),
        trailing=st.binary(max_size=20),
    )
)
"""Any record of the schema, with any value in any field."""
