"""The packaged roots."""

from importlib.resources import files

import pytest

from device_integrity.apple import load_apple_anchors, parse_apple_anchors
from device_integrity.errors import AnchorsUnusable

_TEXT = (files("device_integrity.apple") / "anchors.toml").read_text(encoding="utf-8")


def test_the_packaged_roots_are_apples() -> None:
    anchors = load_apple_anchors()
    assert "CN=Apple App Attestation Root CA" in anchors.app_attest.subject.rfc4514_string()
    assert "CN=Apple Root CA - G3" in anchors.receipt.subject.rfc4514_string()
    for root in (anchors.app_attest, anchors.receipt):
        root.verify_directly_issued_by(root)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "receipt|app_attest"),
        ("[", "cannot be used"),
        ("app_attest = 1\nreceipt = 1", "cannot be used"),
        (_TEXT.replace("1cb9823b", "1cb9823c"), "has the SHA-256 1cb9823b"),
        (_TEXT.replace("MIICITCC", "AAAAAAAA"), "cannot be used"),
        (_TEXT.replace("pem =", "PEM ="), "pem"),
    ],
)
def test_damaged_roots_are_refused(text: str, says: str) -> None:
    with pytest.raises(AnchorsUnusable, match=says):
        parse_apple_anchors(text)
