"""Takes a screenshot of every screen of the element, on a phone and a desktop, in light and dark.

``python -m tests.web.make_screens FOLDER`` needs what ``make web`` needs, and ``FACEGATE_TEST_ASSETS``. With
``--verdict`` it writes ``docs/verdict.webp``, the README's picture, instead: the page of ``facegate try``
after a scan of a rendered head, whose photo (NASA's) is in the public domain.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cv2

from lab.simulator import ScanKind, SceneSettings, builtin_photos, simulate_scan
from lab.simulator.photo import builtin_image
from lab.tests.try_.running import running_try
from tests.packs import shared_pack
from tests.ports import held_port
from tests.server.live import FAST, serving, settings_for
from tests.web.conftest import Browser, read_recording
from tests.web.test_try_page import walk
from vision.image import encode_jpeg

_CALM = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}
_SCHEMES = ("light", "dark")
_NO_CAMERA = ["--use-fake-device-for-media-stream=device-count=0"]
_NOBODY = "ws://127.0.0.1:9"
_VERDICT = Path(__file__).resolve().parents[2] / "docs" / "verdict.webp"
_VERDICT_HEIGHT = 1260
"""As far as the list of signals."""


@asynccontextmanager
async def _browser(folder: Path, assets: Path) -> AsyncIterator[Browser]:
    with held_port() as port:
        origins = [f"http://localhost:{port}"]
        settings = settings_for(
            folder, web=True, device_integrity={"web": {"rp_id": "localhost", "origins": origins}}
        )
        async with serving(settings, pack=shared_pack(f"open:{assets / 'models'}"), tuning=FAST) as live:
            yield Browser(live, port)


async def make_screens(folder: Path, assets: Path, *, size: str, scheme: str) -> None:
    """Take the screenshots of one size and colour scheme."""
    with tempfile.TemporaryDirectory() as temporary:
        person = read_recording(_CALM, assets, Path(temporary))
        async with _browser(Path(temporary), assets) as browser:

            async def walk(name: str, *, policy: str = "standard", camera: bool = True, **job: Any) -> None:
                upload = await browser.upload(person.portrait, policy)
                await browser.scan(
                    upload,
                    person.camera if camera else None,
                    script="walk",
                    pictures=str(folder),
                    name=f"{size}-{scheme}-{name}",
                    viewport=_SIZES[size],
                    context={"colorScheme": scheme},
                    **job,
                )

            await walk("colours", policy="adaptive", relight=True, options={"flash": True})
            await walk("hidden", acts=["hide"])
            await walk("arabic", options={"lang": "ar"}, acts=["leave"])
            await walk("denied", camera=False, permission="ask")
            await walk("missing", camera=False, args=_NO_CAMERA)
            await walk("untrusted", pinned=bytes(32))
            await walk("network", server=_NOBODY)


async def make_verdict(folder: Path, assets: Path) -> None:
    """Write the picture of a verdict; the colours are laid over the rendered head's face as it is filmed."""
    photo = builtin_photos()["astronaut"]
    settings = SceneSettings(kind=ScanKind.GENUINE, seed=5, seconds=20)
    camera, portrait = folder / "camera.mjpeg", folder / "portrait.jpg"
    camera.write_bytes(b"".join(encode_jpeg(f.pixels, quality=92) for f in simulate_scan(photo, settings)))
    portrait.write_bytes(encode_jpeg(builtin_image("astronaut"), quality=92))
    with running_try(folder, "--sandbox", "--pack", f"open:{assets / 'models'}") as command:
        answer = await walk(
            command.address,
            video=str(camera),
            portrait=str(portrait),
            mode="colours",
            relight=True,
            pictures=str(folder),
            name="try",
            viewport={"width": 1100, "height": 800},
        )
    if not answer.get("verdict", "").startswith("It is you."):
        raise SystemExit(f"the scan did not succeed; try again on an idle machine: {answer}")
    page = cv2.imread(str(folder / "try-verdict.png"))
    if page is None or not cv2.imwrite(str(_VERDICT), page[:_VERDICT_HEIGHT], [cv2.IMWRITE_WEBP_QUALITY, 85]):
        raise SystemExit(f"{_VERDICT} could not be written")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=tuple(_SIZES), action="append", help="default: all")
    parser.add_argument("--scheme", choices=_SCHEMES, action="append", help="default: all")
    parser.add_argument("--verdict", action="store_true", help="the README's picture instead")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    assets = Path(os.environ["FACEGATE_TEST_ASSETS"])
    if chosen.verdict:
        asyncio.run(make_verdict(chosen.folder, assets))
        return
    for size in chosen.size or _SIZES:
        for scheme in chosen.scheme or _SCHEMES:
            asyncio.run(make_screens(chosen.folder, assets, size=size, scheme=scheme))


if __name__ == "__main__":
    main()
