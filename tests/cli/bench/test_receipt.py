import numpy as np
import pytest

from attempt.frame import FrameUnusable
from cli.bench.receipt import FrameReceipt
from tests.server.live import pictures
from vision.image import encode_jpeg


def test_frames_are_received_one_after_the_other_and_cost_something() -> None:
    receipt = FrameReceipt()
    spent = [receipt.seconds]
    for picture in pictures()[:4]:
        receipt.take(picture.jpeg)
        spent.append(receipt.seconds)
    assert spent[0] == 0
    assert spent == sorted(set(spent))


def test_a_frame_must_keep_the_limits_of_a_server() -> None:
    with pytest.raises(FrameUnusable, match="pixels"):
        FrameReceipt().take(encode_jpeg(np.zeros((100, 300, 3), np.uint8)))
