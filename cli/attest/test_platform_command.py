"""``facegate attest test-platform``: a platform whose devices are made by this computer."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.error_reporting import errors_reported
from cli.test_devices.platform_files import SETTINGS_FILE, write_platform
from simulator.devices import DeviceKind

__all__ = ["make_test_platform"]


def make_test_platform(
    out: Annotated[Path, typer.Option(help="Folder for the platform: its keys, roots, settings and policy.")],
) -> None:
    """Make a test platform: a Google, a Play and an Apple of your own.

    Writes its roots, its list of revoked keys, settings that make a server believe it, and a policy that
    demands evidence. Callers of a server with these settings are sandbox callers: test devices are believed
    in their checks, and every result says so. Run it again to make the platform valid for another year.

    For example:

        facegate attest test-platform --out platform

        facegate serve --config platform/facegate.toml

        facegate verify --trusted p.jpg --simulate genuine --test-platform platform --test-device repackaged
        --accept-sandbox
    """
    console = Console()
    with errors_reported():
        stored = write_platform(out, now=datetime.now(UTC))
    console.print(
        escape(
            f"A test platform is in {stored.folder}. Keep {stored.folder / 'platform.json'} to yourself: "
            "whoever has it can make evidence of any device.\n"
            f"Serve:  facegate serve --config {stored.folder / SETTINGS_FILE}\n"
            f"Scan:   facegate verify --test-platform {stored.folder} --test-device {DeviceKind.ANDROID} "
            "--accept-sandbox ..."
        ),
        highlight=False,
        soft_wrap=True,
    )
