from pathlib import Path

import pytest

from server.trusted_images.credentials import CredentialsUnusable, read_credentials


def _file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "s3.toml"
    path.write_bytes(content)
    path.chmod(mode)
    return path


_GOOD = b'access_key_id = "AKIA1"\nsecret_access_key = "hunter2"\n'


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_credentials_are_read(tmp_path: Path, mode: int) -> None:
    expected = {"access_key_id": "AKIA1", "secret_access_key": "hunter2"}
    assert read_credentials(_file(tmp_path, _GOOD, mode)) == expected


def test_temporary_credentials_have_a_token(tmp_path: Path) -> None:
    found = read_credentials(_file(tmp_path, _GOOD + b'session_token = "t"\n'))
    assert found["session_token"] == "t"


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (_GOOD, 0o644, "chmod 600"),
        (_GOOD, 0o660, "chmod 600"),
        (b"", 0o600, "expected the texts"),
        (b'access_key_id = "hunter2"', 0o600, "expected the texts"),
        (b'access_key_id = "a"\nsecret_access_key = ""', 0o600, "expected the texts"),
        (b'access_key_id = "a"\nsecret_access_key = 7', 0o600, "expected the texts"),
        (_GOOD + b'region = "x"', 0o600, "and nothing else"),
        (b"secret_access_key = hunter2", 0o600, "not TOML"),
        (b"\xff\xfehunter2", 0o600, "not TOML"),
        (b"#" * 20_000, 0o600, "more than 16384 bytes"),
    ],
)
def test_an_unusable_file_is_reported_without_its_contents(
    tmp_path: Path, content: bytes, mode: int, said: str
) -> None:
    with pytest.raises(CredentialsUnusable) as caught:
        read_credentials(_file(tmp_path, content, mode))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CredentialsUnusable, match="No such file"):
        read_credentials(tmp_path / "none.toml")
