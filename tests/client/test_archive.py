"""Verification of archives: whatever bytes are given, only what the server signed is accepted."""

import io
import zipfile

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from facegate_client import KeySet, ServerNotTrustedError, verify_archive, verify_record_jws
from facegate_client.result_signature import ResultKey

_KEYS = KeySet((ResultKey(kid="k", public_key=ec.generate_private_key(ec.SECP256R1()).public_key()),))


@given(st.binary(max_size=400))
def test_other_bytes_are_no_archive(data: bytes) -> None:
    for content in (data, b"PK\x03\x04" + data):
        with pytest.raises(ServerNotTrustedError):
            verify_archive(content, _KEYS)


@given(st.text(max_size=100))
def test_other_text_is_no_record(text: str) -> None:
    with pytest.raises(ServerNotTrustedError):
        verify_record_jws(text, _KEYS)


def _zip(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return target.getvalue()


def test_an_archive_that_unpacks_without_bound_is_refused_before_it_is_unpacked() -> None:
    bomb = _zip(manifest_json=bytes(80 * 1024 * 1024), manifest_jws=b"")
    assert len(bomb) < 200_000
    with pytest.raises(ServerNotTrustedError, match="larger"):
        verify_archive(bomb, _KEYS)


def test_a_zip_file_without_a_manifest_is_no_archive() -> None:
    with pytest.raises(ServerNotTrustedError, match=r"manifest\.json"):
        verify_archive(_zip(report_html=b"x"), _KEYS)
