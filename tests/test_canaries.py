import base64
import json
import os

import pytest

from tests.canaries import Canaries

_SECRET = os.urandom(600)
_TEXT = "customer-4711-canary"


@pytest.mark.parametrize("around", [b"", b"'", b'"', b"'\""])
def test_quotes_hide_no_value(around: bytes) -> None:
    canaries = Canaries()
    canaries.plant("secret", b"it's a \\' secret")
    assert canaries.leaks(repr(around + b"it's a \\' secret" + around))


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, bytes.hex, repr, bytes])
def test_a_value_is_found_in_every_form(before: int, encode: object) -> None:
    canaries = Canaries()
    canaries.plant("secret", _SECRET)
    encoded = encode(os.urandom(before) + _SECRET)  # type: ignore[operator]
    text = encoded if isinstance(encoded, str | bytes) else str(encoded)
    assert canaries.leaks(text)
    assert not canaries.leaks(os.urandom(4096))


def test_a_reference_is_found_in_text_and_in_json() -> None:
    canaries = Canaries()
    canaries.plant("reference", _TEXT)
    assert canaries.leaks(f"the check of {_TEXT} failed") == [
        f"reference as {form}" for form in ("raw", "text", "repr", "percent")
    ]
    assert canaries.leaks(json.dumps({"why": _TEXT}))
    assert not canaries.leaks("the check of somebody failed")
