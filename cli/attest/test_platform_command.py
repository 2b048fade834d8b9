"""``facegate attest test-platform``: makes a platform for test devices."""

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
    out: Annotated[
        Path, typer.Option(help="Folder for the platform. It gets keys, roots, settings and a policy.")
    ],
) -> None:
    """Make a test platform, which signs evidence in place of Google and Apple.

    Writes its roots, its list of revoked keys, settings that make a server trust it, and a policy that
    demands evidence. Callers of a server with these settings are sandbox callers: their checks accept test
    devices, and each result states this. Run the command again to extend the platform's validity by a year.

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
            f"A test platform is in {stored.folder}. Keep {stored.folder / 'platform.json'} secret: "
            "it can sign evidence of any device.\n"
            f"Serve:  facegate serve --config {stored.folder / SETTINGS_FILE}\n"
            f"Scan:   facegate verify --test-platform {stored.folder} --test-device {DeviceKind.ANDROID} "
            "--accept-sandbox ..."
        ),
        highlight=False,
        soft_wrap=True,
    )
