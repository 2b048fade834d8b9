"""Takes a screenshot of every screen of the element, on a phone and a desktop, in light and dark.

``python -m tests.web.make_screens FOLDER`` needs what ``make web`` needs, and ``FACEGATE_TEST_ASSETS``.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.packs import shared_pack
from tests.ports import held_port
from tests.server.live import PATIENT, serving, settings_for
from tests.web.conftest import Browser, read_recording

_CALM = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}
_SCHEMES = ("light", "dark")
_NO_CAMERA = ["--use-fake-device-for-media-stream=device-count=0"]
_NOBODY = "ws://127.0.0.1:9"


@asynccontextmanager
async def _browser(folder: Path, assets: Path) -> AsyncIterator[Browser]:
    with held_port() as port:
        origins = [f"http://localhost:{port}"]
        settings = settings_for(
            folder, web=True, device_integrity={"web": {"rp_id": "localhost", "origins": origins}}
        )
        async with serving(settings, pack=shared_pack(f"open:{assets / 'models'}"), tuning=PATIENT) as live:
            yield Browser(live, port)


async def make_screens(folder: Path, assets: Path, *, size: str, scheme: str) -> None:
    """Takes the screenshots of one size and colour scheme."""
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


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=tuple(_SIZES), action="append", help="default: all")
    parser.add_argument("--scheme", choices=_SCHEMES, action="append", help="default: all")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    assets = Path(os.environ["FACEGATE_TEST_ASSETS"])
    for size in chosen.size or _SIZES:
        for scheme in chosen.scheme or _SCHEMES:
            asyncio.run(make_screens(chosen.folder, assets, size=size, scheme=scheme))


if __name__ == "__main__":
    main()
