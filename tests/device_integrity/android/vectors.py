"""The real chains of the test assets."""

import base64
import csv
import re
from datetime import datetime
from pathlib import Path

KEY_FOLDER = Path("data/attestation/android_key")
PLAY_FOLDER = Path("data/attestation/play_integrity")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def read_chain(assets: Path, name: str) -> list[bytes]:
    """The certificates of a PEM file, in its order."""
    text = (assets / KEY_FOLDER / f"{name}.pem").read_text()
    return [base64.b64decode(match[1]) for match in _CERTIFICATE.finditer(text)]


def verify_at(assets: Path) -> dict[str, datetime]:
    """When to verify each chain, by its name."""
    with (assets / "data/attestation/manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("android_key/")]
    return {
        row["file"].removeprefix("android_key/").removesuffix(".pem"): datetime.fromisoformat(
            row["verify_at"]
        )
        for row in rows
        if row["file"].endswith(".pem")
    }
