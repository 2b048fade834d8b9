"""API keys of the service listener: a file of hashes, which does not give access to the server.

::

    [[key]]
    name = "onboarding-backend"             # for logs
    sha256 = "9f86d08..."                   # of the key, lower-case hex
    tenant = "default"
    roles = ["orchestrator"]                # see docs/reference/roles.md
    scopes = ["checks.create"]              # narrows the roles; default: all scopes of the roles
    expires = 2027-06-30T00:00:00Z          # default: never
    sandbox = false                         # true: for tests; see server.base.sandbox

The server reads the file again when it changes, and then refuses a key that was removed. With ``key = []`` no
caller may call. An empty file is refused, because a file that is being written can look the same.

A key is 32 random bytes in base64url after a prefix (``new_api_key``). At that strength, a plain SHA-256 is
as good as a slow password hash, and callers cannot use it to keep the server busy.

::

    ApiKeysInvalid      the file cannot be read, is accessible to others or violates the schema
"""

import difflib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from formats.errors import TomlMalformed
from formats.toml import read_toml
from server.access.callers import Caller, CallerEntry, Name
from server.base.errors import ConfigurationError
from server.base.private_files import PrivateFileError, read_private_file

_PREFIX = "fg1_"
_KEY_BYTES = 32
_MAX_BYTES = 1_048_576
_EXAMPLE_TIME = "2027-06-30T00:00:00Z"


class ApiKeysInvalid(ConfigurationError):
    """The file of API keys cannot be read, is accessible to others or violates the schema."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key.

    Attributes:
        sha256: SHA-256 of the key, 32 bytes.
        expires: The time from which the key is refused; ``None`` for never.
    """

    sha256: bytes
    caller: Caller
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Every key of a server."""

    keys: tuple[ApiKey, ...]

    def find(self, key: str) -> ApiKey | None:
        """Return the entry of a key, also of an expired one; ``None`` for an unknown key."""
        return self.with_hash(sha256(key.encode("utf-8", "surrogatepass")).digest())

    def with_hash(self, digest: bytes) -> ApiKey | None:
        """Return the entry of the key with this SHA-256, as ``find``.

        Every hash is compared, in constant time.
        """
        found = None
        for known in self.keys:
            if hmac.compare_digest(known.sha256, digest):
                found = known
        return found

    @property
    def next_expiry(self) -> datetime | None:
        """The earliest expiry of a key, possibly in the past; ``None`` if no key expires."""
        return min((key.expires for key in self.keys if key.expires is not None), default=None)


def _only_times(value: object) -> object:
    # pydantic would read a number as seconds since 1970.
    if not isinstance(value, datetime):
        raise ValueError(f"write a time with its offset and without quotes, such as {_EXAMPLE_TIME}")
    return value


class _Entry(CallerEntry):
    tenant: Name = "default"
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    expires: Annotated[AwareDatetime, BeforeValidator(_only_times)] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    key: list[_Entry]


def new_api_key() -> tuple[str, str]:
    """Return a new key, and its SHA-256 for the file (lower-case hex)."""
    key = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    return key, sha256(key.encode()).hexdigest()


def load_api_keys(path: Path) -> ApiKeys:
    """Read the file of API keys.

    Raises:
        ApiKeysInvalid: The file cannot be read, is accessible to others, violates the schema, or gives one
            key to two callers.
    """
    return _parse(_read(path), path)


def add_api_key(path: Path, entry: str) -> None:
    """Append an entry to the file of API keys; a new file is readable by its owner alone.

    Args:
        entry: The entry as TOML, with ``[[key]]``.

    Raises:
        ApiKeysInvalid: The file cannot be read or written, is accessible to others, would not be valid with
            the entry, or has an entry of the same name. It is unchanged then.
    """
    there = path.exists()
    old = _read(path) if there else b""
    added = (b"\n" if old and not old.endswith(b"\n") else b"") + entry.encode("utf-8") + b"\n"
    *before, new = (key.caller.name for key in _parse(old + added, path).keys)
    if new in before:
        raise ApiKeysInvalid(
            (
                f"{path}: it has an entry of the name {new}; remove that, or give the caller another name. "
                "To replace a key without an interruption, make the next one without --file: add the printed "
                "entry, let the caller switch, and remove the old one",
            )
        )
    try:
        # In one write, so that the server never reads half of it; a rename could change the file's owner.
        flags = os.O_WRONLY | os.O_APPEND | (0 if there else os.O_CREAT | os.O_EXCL)
        descriptor = os.open(path, flags, 0o600)
        try:
            os.write(descriptor, added)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ApiKeysInvalid((f"{path}: cannot be written: {error.strerror or error}",)) from error


def _read(path: Path) -> bytes:
    try:
        return read_private_file(path, max_bytes=_MAX_BYTES)
    except PrivateFileError as error:
        raise ApiKeysInvalid((f"{error} (api_keys_file)",)) from error


def _problem(item: ErrorDetails) -> str:
    match item["type"]:
        case "extra_forbidden":
            # Such as `role`, which was replaced by `roles`.
            close = difflib.get_close_matches(str(item["loc"][-1]), [*_Entry.model_fields, "key"], n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(_Entry.model_fields)}"
            return f"there is no such field{hint}"
        case "missing":
            return "is missing"
    return item["msg"].removeprefix("Value error, ")


def _parse(content: bytes, path: Path) -> ApiKeys:
    try:
        table = read_toml(content)
    except TomlMalformed as error:
        raise ApiKeysInvalid((f"{path}: {error}",)) from error
    if not table:
        raise ApiKeysInvalid(
            (
                f"{path}: it has no [[key]]; add the entry that `facegate keys new-api-key` "
                "prints, or write key = [] if no caller may call",
            )
        )
    try:
        entries = _File.model_validate(table).key
    except ValidationError as error:
        raise ApiKeysInvalid(
            tuple(
                f"{path}: {'.'.join(str(part) for part in item['loc'])}: {_problem(item)}"
                for item in error.errors(include_url=False, include_context=False, include_input=False)
            )
        ) from error
    found: dict[str, ApiKey] = {}
    for entry in entries:
        if entry.sha256 in found:
            first = found[entry.sha256].caller.name
            raise ApiKeysInvalid((f"{path}: {entry.name} has the same key as {first}; give each its own",))
        found[entry.sha256] = ApiKey(
            sha256=bytes.fromhex(entry.sha256), caller=entry.caller, expires=entry.expires
        )
    return ApiKeys(tuple(found.values()))
