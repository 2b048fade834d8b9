"""Portraits to accept and to refuse."""

import zlib

import cv2
import pytest

from matcher.errors import TrustedImageRefused
from matcher.portrait import accept_portrait
from matcher.portrait_report import PortraitPolicy
from tests.vision.decoders import decoders
from vision.face import BgrImage
from vision.packs import Pack

POLICY = PortraitPolicy()
ZUCKERBERG = "nyoki-mtl__data__images__MarkZuckerberg__Mark_Zuckerberg_000{}.jpg"


def png(image: BgrImage) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def refusal(data: bytes, pack: Pack, policy: PortraitPolicy = POLICY) -> TrustedImageRefused:
    with pytest.raises(TrustedImageRefused) as caught:
        accept_portrait(data, pack=pack, policy=policy, still_decoder=decoders())
    return caught.value


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that declares this size."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0")) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
