"""The file with the credentials of the S3 bucket that holds trusted images.

::

    access_key_id = "AKIA..."
    secret_access_key = "..."
    session_token = "..."               # only with temporary credentials

::

    CredentialsUnusable     the file cannot be read, is accessible to others, or violates the schema
"""

import tomllib
from pathlib import Path
from typing import Final

from server.errors import ConfigurationError
from server.private_files import PrivateFileError, read_private_file

__all__ = ["CredentialsUnusable", "read_credentials"]

_MAX_BYTES: Final = 16_384
_REQUIRED: Final = frozenset({"access_key_id", "secret_access_key"})
_KNOWN: Final = _REQUIRED | {"session_token"}


class CredentialsUnusable(ConfigurationError):
    """The file of credentials cannot be read, is accessible to others, or violates the schema."""


def read_credentials(path: Path) -> dict[str, str]:
    """Returns the credentials by their names.

    Raises:
        CredentialsUnusable: The file cannot be read, is accessible to others, or has missing or unknown
            entries. The message repeats no value.
    """
    try:
        content = read_private_file(path, max_bytes=_MAX_BYTES)
    except PrivateFileError as error:
        raise CredentialsUnusable(f"trusted_images.s3.credentials_file: {error}") from error
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # The message of the parser is left out, because it may repeat a part of the file.
        raise CredentialsUnusable(
            f'{path}: not TOML in UTF-8; write access_key_id = "..." and so on'
        ) from error
    found = {name: value for name, value in table.items() if isinstance(value, str) and value}
    names = found.keys()
    if len(found) != len(table) or _REQUIRED - names or names - _KNOWN:
        raise CredentialsUnusable(
            f"{path}: expected the texts access_key_id, secret_access_key and, with temporary credentials, "
            "session_token, and nothing else"
        )
    return found
