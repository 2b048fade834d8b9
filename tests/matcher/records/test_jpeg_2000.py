"""Detection of lossless coding in a JPEG 2000 code stream."""

import io

import numpy as np
import pytest
from PIL import Image

from matcher.records.jpeg_2000 import is_reversible
from tests.formats.samples import j2k_head


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    y, x = np.mgrid[0:24, 0:24]
    return Image.fromarray(np.dstack([x * 9, y * 9, 255 - x * 4]).astype(np.uint8))


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("irreversible", [True, False])
def test_a_real_encoders_choice_is_read(picture: Image.Image, bare: bool, irreversible: bool) -> None:
    stored = io.BytesIO()
    picture.save(stored, format="JPEG2000", irreversible=irreversible, no_jp2=bare)
    assert is_reversible(stored.getvalue()) is not irreversible


def test_an_unstated_compression_is_not_lossless() -> None:
    head = j2k_head(24, 24)
    tile = b"\xff\x90\x00\x0a" + bytes(8)
    coding = b"\xff\x52\x00\x0c" + bytes(9) + b"\x01"
    assert not is_reversible(b"")
    assert not is_reversible(b"\xff\xd8\xff")
    assert not is_reversible(head)
    assert is_reversible(head + coding)
    assert not is_reversible(head + coding[:-1])
    # After the first tile a coding style is that tile's own.
    assert not is_reversible(head + tile + coding)
    assert not is_reversible(head + b"\xff\x64\x00\x02" * 100 + coding)
    assert not is_reversible(head + b"\xff\x64\x00\x01" + coding)
