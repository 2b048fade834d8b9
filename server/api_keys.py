"""API keys of the service listener: a file of hashes, so that the file gives nobody access.

::

    [[key]]
    name = "onboarding-backend"        # for logs
    sha256 = "9f86d08..."              # of the key, lower-case hex
    tenant = "default"
    role = "orchestrator"              # or "compliance"
    sandbox = false                    # true: for tests; see server.sandbox

Keys are 32 random bytes in base64url behind a prefix (``new_api_key``). At that strength a plain
SHA-256 is as good as a slow password hash, and cannot be used to keep the server busy.

::

    ApiKeysInvalid      the file cannot be read or breaks the schema
"""

import hmac
import secrets
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator

from server.errors import ConfigurationError
from server.sandbox import LONGEST_TENANT

__all__ = ["ApiKeyEntry", "ApiKeys", "ApiKeysInvalid", "Role", "load_api_keys", "new_api_key"]

_PREFIX = "fg1_"
_KEY_BYTES = 32
_MAX_BYTES = 1_048_576

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class ApiKeysInvalid(ConfigurationError):
    """The file of API keys cannot be read or breaks the schema.

    Attributes:
        problems: One line for each problem.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Role(StrEnum):
    """What a caller may do."""

    ORCHESTRATOR = "orchestrator"
    """Creates checks and reads their verdicts."""
    COMPLIANCE = "compliance"
    """Reads evidence."""


@dataclass(frozen=True, slots=True)
class ApiKeyEntry:
    """Who a key belongs to.

    Attributes:
        name: For logs.
        tenant: Whose checks it may see.
        role: What it may do.
        sandbox: Whether its checks are sandbox checks.
    """

    name: str
    tenant: str
    role: Role
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Every key of a server, as its SHA-256 (32 bytes) and whose it is."""

    entries: tuple[tuple[bytes, ApiKeyEntry], ...]

    def find(self, key: str) -> ApiKeyEntry | None:
        """Whose key this is; None for an unknown one. Every hash is compared, in constant time."""
        digest = sha256(key.encode("utf-8", "surrogatepass")).digest()
        found = None
        for known, entry in self.entries:
            if hmac.compare_digest(known, digest):
                found = entry
        return found


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: _Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tenant: _Name = "default"
    role: Role
    sandbox: StrictBool = False

    @model_validator(mode="after")
    def _usable_sandbox(self) -> Self:
        if self.sandbox and self.role is not Role.ORCHESTRATOR:
            raise ValueError(
                f"sandbox = true is for the role orchestrator, not {self.role.value}; leave it out"
            )
        if self.sandbox and len(self.tenant) > LONGEST_TENANT:
            raise ValueError(
                f"the tenant of a sandbox key has at most {LONGEST_TENANT} characters, not {len(self.tenant)}"
            )
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    key: list[_Entry] = Field(min_length=1)


def new_api_key() -> tuple[str, str]:
    """A fresh key, and the SHA-256 to put into the file (lower-case hex)."""
    key = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    return key, sha256(key.encode()).hexdigest()


def load_api_keys(path: Path) -> ApiKeys:
    """Reads the file of API keys.

    Raises:
        ApiKeysInvalid: The file cannot be read, breaks the schema, or gives one key to two callers.
    """
    try:
        with path.open("rb") as file:
            source = file.read(_MAX_BYTES + 1)
        table = tomllib.loads(source.decode("utf-8"))
    except OSError as error:
        raise ApiKeysInvalid(
            (f"{path}: cannot be read: {error.strerror or error}; correct api_keys_file, or its permissions",)
        ) from error
    # A ValueError that is no TOMLDecodeError: a number of thousands of digits.
    except (ValueError, RecursionError) as error:
        raise ApiKeysInvalid((f"{path}: not TOML: {error}",)) from error
    try:
        entries = _File.model_validate(table).key
    except ValidationError as error:
        raise ApiKeysInvalid(
            tuple(
                f"{path}: {'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
                for item in error.errors(include_url=False, include_context=False, include_input=False)
            )
        ) from error
    found: dict[bytes, ApiKeyEntry] = {}
    for entry in entries:
        digest = bytes.fromhex(entry.sha256)
        if digest in found:
            raise ApiKeysInvalid(
                (f"{path}: {entry.name} has the same key as {found[digest].name}; give each its own",)
            )
        found[digest] = ApiKeyEntry(
            name=entry.name, tenant=entry.tenant, role=entry.role, sandbox=entry.sandbox
        )
    return ApiKeys(tuple(found.items()))
