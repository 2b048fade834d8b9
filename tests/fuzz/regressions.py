"""Inputs that the fuzzer, or the work on it, found. Every entry made its target fail."""

import re
import struct
import zlib
from collections.abc import Mapping
from types import MappingProxyType

from facegate.v1 import verification_service_pb2 as service_pb2

from formats.der import encode
from tests.formats.samples import png_chunk
from tests.fuzz import device_targets, text_targets

_IHDR = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 24, 24, 8, 2, 0, 0, 0))
_ROWS = zlib.compress(bytes(24 * 73))
_DIGITS = b"9" * 5000
_DEEP = b"[" * 3000


def _png_of_a_chunk(length: int, kind: bytes) -> bytes:
    chunk = struct.pack(">I", length) + kind + _ROWS
    return b"\x89PNG\r\n\x1a\n" + _IHDR + chunk + png_chunk(b"IEND", b"")


def _with_number(seed: bytes, key: bytes, value: bytes) -> bytes:
    changed, count = re.subn(rb"(?m)^%s = .*$" % key, b"%s = %s" % (key, value), seed)
    assert count, f"the seed has no {key!r}"
    return changed


REGRESSIONS: Mapping[str, tuple[str, bytes]] = MappingProxyType(
    {
        # 75 bytes made the decoder take 2 GB and seconds, because of the length that a chunk declared.
        "png whose rows declare 2**31 - 1 bytes": ("png", _png_of_a_chunk(2**31 - 1, b"IDAT")),
        "png whose rows declare 2**31 + 40 bytes": ("png", _png_of_a_chunk(2**31 + 40, b"IDAT")),
        "png whose rows declare 1 GB": ("png", _png_of_a_chunk(10**9, b"IDAT")),
        # The size of the element was read behind the file's end.
        "video that ends within its EBML head": ("video", b"\x1a\x45\xdf\xa3\x9f\x42\x82"),
        # int() refuses thousands of digits with a ValueError that is no TOMLDecodeError.
        "policy with a long number": ("policy", b"version = " + _DIGITS),
        "settings with a long number": ("settings", b"data_dir = " + _DIGITS),
        "API keys with a long number": ("api-keys", b"key = " + _DIGITS),
        "calibration with a long number": ("calibration", b"schema = " + _DIGITS),
        "fusion model with a long number": ("fusion-model", b"version = " + _DIGITS),
        # tomllib recurses.
        "calibration, nested deeply": ("calibration", b"schema = " + _DEEP),
        "catalogue, nested deeply": ("catalogue", b"schema = " + _DEEP),
        "fusion model, nested deeply": ("fusion-model", b"version = " + _DEEP),
        "key set, nested deeply": ("jwks", _DEEP),
        # A whole number beyond the range of floats raised OverflowError.
        "fusion model with a number beyond floats": (
            "fusion-model",
            _with_number(text_targets.fusion_seeds()[0], b"most_for", b"9" * 400),
        ),
        # The message repeated the name, so that the refusal was too long for its trailers.
        "policy name of a whole request": (
            "service-requests",
            b"\x00"
            + service_pb2.UploadTrustedImageRequest(image=b"x", policy="p" * 60_000).SerializeToString(),
        ),
        # The library's InvalidVersion is no ValueError.
        "certificates of version 6": (
            "attest-inspect",
            3
            * device_targets.certificate_seed().replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x06", 1),
        ),
        "Android chain of version 11": (
            "android-chain",
            device_targets.chain_seeds()[0].replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x0a", 1),
        ),
        # The tag 0 was written as no byte at all.
        "DG2 whose header holds a data object with tag 0": (
            "dg2",
            encode(0x7F60, encode(0xA1, b"\x00\x01a") + encode(0x5F2E, b"record")),
        ),
    }
)
"""Target and input by description."""
