"""Portraits to accept and to refuse."""

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
