from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.verify.scanning import open_scan
from facegate_client import SourceError


async def test_folder_and_video_are_distinguished(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    source = open_scan(str(tmp_path))
    assert source.camera.label == "image folder"
    await source.aclose()
    with pytest.raises(SourceError, match="still image"):
        open_scan(str(tmp_path / "a.png"))


@pytest.mark.parametrize("scan", ["camera:99", "camera:x", "camera:-1"])
async def test_camera_that_is_not_there_is_reported(scan: str) -> None:
    with pytest.raises(SourceError, match="camera"):
        open_scan(scan)
