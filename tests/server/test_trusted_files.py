"""Files without secrets that define trust: other users must not be able to write them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from device_integrity.errors import ReferenceDataMalformed
from server.base.errors import ConfigurationError
from server.configuration.loading import load_settings
from server.configuration.settings import ServiceTls
from server.device.revocation import read_revocation_files
from server.device.server_keys import ServerKeyList
from server.policies.loading import PolicyInvalid, load_policies
from server.running.tls import TlsFiles


def _settings(file: Path) -> None:
    load_settings(file)


def _policies(file: Path) -> None:
    load_policies(file.parent)


def _revocation(file: Path) -> None:
    read_revocation_files(file)


def _server_keys(file: Path) -> None:
    ServerKeyList(listed=(), file=file, shown=lambda: None, complete=False, monotonic=lambda: 0.0)


def _client_authority(file: Path) -> None:
    issued = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("localhost")
    certificate, key = file.with_name("server.pem"), file.with_name("server.key")
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.touch(0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    TlsFiles(ServiceTls(certificate=certificate, key=key, client_ca=file))


@pytest.mark.parametrize(
    ("name", "read", "error"),
    [
        ("facegate.toml", _settings, ConfigurationError),
        ("policy.toml", _policies, PolicyInvalid),
        ("revoked.json", _revocation, ReferenceDataMalformed),
        ("keys.txt", _server_keys, ConfigurationError),
        ("clients.pem", _client_authority, ConfigurationError),
    ],
)
@pytest.mark.parametrize("permissions", [0o646, 0o666])
def test_a_file_that_others_may_write_is_refused(
    tmp_path: Path, name: str, read: Callable[[Path], None], error: type[Exception], permissions: int
) -> None:
    file = tmp_path / name
    file.write_bytes(b"")
    file.chmod(permissions)
    with pytest.raises(error, match=f"{permissions:04o}.*chmod o-w"):
        read(file)
