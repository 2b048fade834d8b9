"""Measures how often the lists of cameras and emulators name an honest device, on public lists of names.

::

    python -m research.device_alarms.names --usb-ids usb.ids --user-agents FILE...

``usb.ids`` is the list of USB devices of linux-usb.org. Its products count if their name mentions a camera or
video; they are written as a browser labels a camera. User agents are found in any text, one per line, and the
model is read from each as Android writes it. Both lists are of existing devices. A name that a test fails is
printed for inspection, because the list may contain a virtual device too.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device_integrity import DeviceCheck, DeviceFinding
from device_integrity.camera import (
    CameraClaim,
    DeviceClaim,
    Platform,
    check_device,
    check_name,
    load_fingerprints,
)
from evaluation.binomial import proportion

__all__ = ["NameAlarms", "camera_labels", "device_models", "main", "named_cameras", "named_emulators"]

_CONFIDENCE: Final = 0.95
_SHOWN: Final = 20
_FILMS: Final = re.compile(r"cam|video", re.IGNORECASE)
_VENDOR: Final = re.compile(r"([0-9a-f]{4})  (\S.*)")
_PRODUCT: Final = re.compile(r"\t([0-9a-f]{4})  (\S.*)")
_MODEL: Final = re.compile(
    r"Android [^;)]*;(?: [a-z]{2}(?:[-_][A-Za-z]{2})?;)? ?([^;)]+?)(?: Build/[^;)]*)?(?:; wv)?\)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameAlarms:
    """Names that fail a test.

    Attributes:
        names: Number of names.
        hard: Names that fail a hard test, which decides.
        soft: Names that fail a soft test.
    """

    names: int
    hard: tuple[str, ...]
    soft: tuple[str, ...]


def camera_labels(usb_ids: Iterable[str]) -> Iterator[str]:
    """Yield labels of cameras as a browser writes them, from the lines of ``usb.ids``."""
    vendor = None
    for line in usb_ids:
        if line.startswith("C "):
            return
        if found := _VENDOR.match(line):
            vendor = found
        elif vendor is not None and (product := _PRODUCT.match(line)) and _FILMS.search(product[2]):
            yield f"{vendor[2].strip()} {product[2].strip()} ({vendor[1]}:{product[1]})"


def device_models(user_agents: Iterable[str]) -> frozenset[str]:
    """Return the models of Android devices in the user agents of these lines."""
    return frozenset(found[1].strip() for line in user_agents if (found := _MODEL.search(line)))


def named_cameras(labels: Iterable[str]) -> NameAlarms:
    """Test labels with ``camera.name``."""
    lists = load_fingerprints()
    return _alarms((label, check_name(CameraClaim(label=label), fingerprints=lists)) for label in labels)


def named_emulators(models: Iterable[str]) -> NameAlarms:
    """Test models with ``device.emulator``."""
    lists = load_fingerprints()

    def check(model: str) -> DeviceCheck:
        device = DeviceClaim(platform=Platform.ANDROID, model=model)
        return check_device(device, CameraClaim(id="1"), fingerprints=lists)

    return _alarms((model, check(model)) for model in sorted(models))


def _alarms(checks: Iterable[tuple[str, DeviceCheck]]) -> NameAlarms:
    made = list(checks)
    failed = [(name, check.soft) for name, check in made if check.outcome is DeviceFinding.FAIL]
    return NameAlarms(
        names=len(made),
        hard=tuple(name for name, soft in failed if not soft),
        soft=tuple(name for name, soft in failed if soft),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    parser = argparse.ArgumentParser(
        prog="python -m research.device_alarms.names", description="False alarms of lists of names."
    )
    parser.add_argument("--usb-ids", type=Path, help="usb.ids")
    parser.add_argument("--user-agents", type=Path, nargs="*", default=[], help="texts with user agents")
    options = parser.parse_args(arguments)
    try:
        if options.usb_ids is not None:
            _print("camera.name", named_cameras(camera_labels(_lines(options.usb_ids))))
        if options.user_agents:
            lines = (line for path in options.user_agents for line in _lines(path))
            _print("device.emulator", named_emulators(device_models(lines)))
    except OSError as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _print(check: str, alarms: NameAlarms) -> None:
    for kind, hits in (("hard", alarms.hard), ("soft", alarms.soft)):
        rate = f"{len(hits)} of {alarms.names}"
        if (found := proportion(len(hits), alarms.names, confidence=_CONFIDENCE)) is not None:
            rate += f" ({found.lower:.3%} to {found.upper:.3%})"
        sys.stdout.write(f"{check}, {kind}: {rate}\n")
        for name in hits[:_SHOWN]:
            sys.stdout.write(f"  {name}\n")


if __name__ == "__main__":
    sys.exit(main())
