"""A server with a web listener, and Chromium with a clip as its camera.

Skipped where Node.js, Chromium or what ``make web`` builds is not there.
"""

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import pytest_asyncio
from facegate.v1 import verification_service_pb2 as service_pb2

from tests.packs import shared_pack
from tests.ports import held_port
from tests.server.live import FAST, LiveServer, serving, settings_for
from tests.server.policy_files import write_policy
from vision.face import BgrImage

WEB = Path(__file__).resolve().parents[2] / "web"
MODULES = WEB / "node_modules"
"""What npm installed for all packages of the workspace."""
SDK = WEB / "sdk"
FIREFOX = Path(os.environ.get("FIREFOX", "/usr/bin/firefox-esr"))
SERVER_PACKAGE = WEB / "server"
_JOB_SECONDS = 300
_LONG_SIDE = 720
_LONGEST_SECONDS = 20
"""A camera starts its clip again at its end, and frames that return are an attack: the clip outlasts most
scans."""


@pytest.fixture(scope="session", autouse=True)
def _browser() -> None:
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    if not Path(chromium).exists():
        pytest.skip("Chromium is not installed (CHROMIUM)")
    if not MODULES.is_dir() or not (SDK / "dist" / "element.js").is_file():
        pytest.skip("web/sdk is not built: run 'make web'")
    if not (SERVER_PACKAGE / "dist" / "index.js").is_file():
        pytest.skip("web/server is not built: run 'make web'")


@pytest.fixture(scope="module", params=[False, True], ids=["chromium", "firefox"])
def firefox(request: pytest.FixtureRequest) -> bool:
    """Whether Firefox is driven in place of Chromium."""
    if request.param and not FIREFOX.exists():
        pytest.skip("Firefox is not installed (FIREFOX)")
    return bool(request.param)


@pytest.fixture(scope="session")
def page_port() -> Iterator[int]:
    """The port of the pages, which the server's list of origins names."""
    with held_port() as port:
        yield port


@dataclass(frozen=True, slots=True)
class Recording:
    """A clip of one person.

    Attributes:
        camera: MJPEG for Chromium's fake camera, from the clip's second second on.
        portrait: The clip's first frame, JPEG.
    """

    camera: Path
    portrait: bytes


Recordings = Callable[..., Recording]
"""Read a clip of ``data/video``, for a camera of a certain ``size`` if one is given."""


def read_recording(
    name: str, assets: Path, folder: Path, *, size: tuple[int, int] | None = None
) -> Recording:
    """Read a clip of ``data/video``; the camera's file is written into a folder.

    Args:
        size: Width and height of the camera's picture, with the whole clip in its middle; by default those of
            the clip.
    """
    video = cv2.VideoCapture(str(assets / "data" / "video" / name))
    rate = round(video.get(cv2.CAP_PROP_FPS))
    frames: list[bytes] = []
    while len(frames) < _LONGEST_SECONDS * rate:
        more, image = video.read()
        if not more:
            break
        # Chromium decodes every frame: a large one takes the time that the scan needs.
        if max(image.shape[:2]) > _LONG_SIDE:
            image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        if size is not None:
            image = _in_the_middle(np.asarray(image, np.uint8), *size)
        frames.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    shape = "" if size is None else "-{}x{}".format(*size)
    camera = folder / f"{Path(name).stem}{shape}.mjpeg"
    camera.write_bytes(b"".join(frames[rate:]))
    return Recording(camera, frames[0])


def _in_the_middle(image: BgrImage, width: int, height: int) -> BgrImage:
    """Scale an image to the height of a wider one, whose sides continue its edges."""
    scaled = cv2.resize(image, (round(image.shape[1] * height / image.shape[0]), height))
    left = (width - scaled.shape[1]) // 2
    right = width - scaled.shape[1] - left
    return np.asarray(cv2.copyMakeBorder(scaled, 0, 0, left, right, cv2.BORDER_REPLICATE), np.uint8)


@pytest.fixture(scope="session")
def recording(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    """Read a clip of ``data/video``, for a camera of a certain ``size`` if one is given."""
    folder = tmp_path_factory.mktemp("camera")
    return cache(lambda name, **camera: read_recording(name, assets, folder, **camera))


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=[True], ids=["sandbox"])
async def server(
    request: pytest.FixtureRequest, assets: Path, page_port: int, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LiveServer]:
    """A server for pages, with the pack ``open``. The parameter: whether its callers are sandbox callers."""
    folder = tmp_path_factory.mktemp("server")
    settings = settings_for(
        folder,
        web=True,
        sandbox=request.param,
        device_integrity={"web": {"rp_id": "localhost", "origins": [f"http://localhost:{page_port}"]}},
    )
    write_policy(folder / "policies", "short", attempt_seconds=8)
    write_policy(folder / "policies", "twice", maximum=2)
    adaptive = (files("server.policies") / "shipped" / "adaptive.toml").read_text(encoding="utf-8")
    twice = adaptive.replace('"adaptive"', '"adaptive-twice"').replace("maximum = 4", "maximum = 2")
    (folder / "policies" / "adaptive-twice.toml").write_text(twice, encoding="utf-8")
    # A head that is rendered from one picture does not blink.
    no_blink = adaptive.replace('"adaptive"', '"no-blink"').replace("blink = true", "blink = false")
    (folder / "policies" / "no-blink.toml").write_text(no_blink, encoding="utf-8")
    async with serving(settings, pack=shared_pack(f"open:{assets / 'models'}"), tuning=FAST) as live:
        yield live


async def run_script(name: str, job: Mapping[str, Any], *, options: Sequence[str] = ()) -> dict[str, Any]:
    """Run a script of ``web/sdk/e2e`` with a job and options of Node.js; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        "node",
        *options,
        str(SDK / "e2e" / f"{name}.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(_JOB_SECONDS):
        printed, _ = await process.communicate(json.dumps(job).encode())
    answer: dict[str, Any] = json.loads(printed)
    return answer


def to_ticket(token: str, fingerprint: bytes) -> dict[str, str]:
    """Return a ticket as a page gets it from its backend."""
    return {"token": token, "challengeKeySha256": base64.b64encode(fingerprint).decode()}


@dataclass(frozen=True, slots=True)
class Browser:
    """Chromium, which makes one scan at a time."""

    live: LiveServer
    port: int

    async def upload(
        self, portrait: bytes, policy: str = "standard"
    ) -> service_pb2.UploadTrustedImageResponse:
        return await self.live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=portrait, policy=policy)
        )

    async def check(
        self, person: Recording, policy: str = "standard", **job: Any
    ) -> tuple[service_pb2.UploadTrustedImageResponse, dict[str, Any]]:
        """Scan a person for a check with the portrait of the same person; return both."""
        upload = await self.upload(person.portrait, policy)
        return upload, await self.scan(upload, person.camera, **job)

    async def scan(
        self,
        upload: service_pb2.UploadTrustedImageResponse,
        camera: Path | None,
        *,
        script: str = "drive",
        options: dict[str, Any] | None = None,
        server: str | None = None,
        pinned: bytes | None = None,
        **job: Any,
    ) -> dict[str, Any]:
        """Make a scan; return what the script prints."""
        pinned = upload.challenge_key_sha256 if pinned is None else pinned
        whole = {
            "port": self.port,
            "page": "scan.html",
            "call": "scan",
            "options": {
                "server": server or f"ws://{self.live.server.web_target}",
                "ticket": to_ticket(upload.scan_token, pinned),
                **(options or {}),
            },
            **({} if camera is None else {"video": str(camera)}),
            **job,
        }
        return await run_script(script, whole)


@pytest.fixture(scope="session")
def browser(server: LiveServer, page_port: int) -> Browser:
    """Chromium as a device of the server."""
    return Browser(server, page_port)
