"""What facegate-client requires is enough for it; the rest is in extras."""

import io
import subprocess
import sys
from pathlib import Path

from PIL import Image

_ROOT = Path(__file__).resolve().parents[2]

_ALONE = """
import sys
sys.path[:0] = sys.argv[2:]
ours = {"facegate", "facegate_client", "facegate_protocol"}
# The last two are what grpcio and cryptography need.
theirs = {"cryptography", "google", "grpc", "standardwebhooks", "_cffi_backend", "typing_extensions"}

class Nothing:
    # Stands before all other finders.
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ours | theirs:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nothing())

import asyncio
from pathlib import Path
import facegate_client
from facegate_client import SourceError, open_camera, open_image_folder, open_video
from facegate_client.encoding import CaptureLimits, encode_image

folder = Path(sys.argv[1])

def said(call, *arguments, **named):
    try:
        return call(*arguments, **named)
    except SourceError as error:
        return str(error)

async def images():
    source = open_image_folder(folder, pace="fast")
    return [said(encode_image, image.image, limits=CaptureLimits()).jpeg async for image in source]

async def picture():
    return await anext(open_image_folder(folder / "png", pace="fast"))

jpeg = (folder / "a.jpg").read_bytes()
assert asyncio.run(images()) == [jpeg]
for text in (
    said(encode_image, jpeg, limits=CaptureLimits(max_side=8)),
    said(asyncio.run, picture()),
    said(open_video, folder / "a.mp4"),
):
    assert "facegate-client[video]" in text, text
assert "facegate-client[camera]" in said(open_camera)
print(*sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - ours))
"""


def test_the_client_works_with_its_dependencies_alone(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (64, 48)).save(stream, "JPEG")
    (tmp_path / "a.jpg").write_bytes(stream.getvalue())
    (tmp_path / "a.mp4").write_bytes(b"")
    (tmp_path / "png").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "png" / "a.png")
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, str(tmp_path), str(_ROOT / "client"), str(_ROOT / "protos")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert {"cryptography", "google", "grpc"} <= loaded
    assert not loaded & {"PIL", "aiohttp", "av", "cv2", "joserfc", "numpy"}
