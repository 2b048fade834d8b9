"""Loads policy files: the shipped ones, and those of the operator, which add to them or replace them.

Exceptions of pydantic, ``tomllib`` and the file system do not leave this module.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from formats.errors import TomlMalformed
from formats.toml import read_toml
from server.base.private_files import PrivateFileError, read_trusted_file
from server.policies.schema import ASSURANCE_FORMS, Policy

_MAX_BYTES = 65_536


class PolicyError(Exception):
    """Base class of the errors of policies."""


class PolicyInvalid(PolicyError):
    """A policy file violates the schema, or two files have the same name.

    Attributes:
        problems: One line for each problem: file, line or key, and the error.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PolicyNotFound(PolicyError):
    """No policy has the requested name.

    Attributes:
        known: The names of all policies, sorted.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        # The name is truncated, because it may be as long as a request, and refusals are sent as metadata.
        super().__init__(f"no policy is named {name!r:.68}; there are {', '.join(known)}")
        self.name = name
        self.known = known


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy and the file that it was read from.

    Attributes:
        source: The file's bytes; they are frozen into each check.
        sha256: SHA-256 of ``source``, 32 bytes.
    """

    policy: Policy
    source: bytes = field(repr=False)
    sha256: bytes


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """Every policy of a server, by name.

    Attributes:
        policies: The policies; the names are sorted.
    """

    policies: Mapping[str, PolicyFile]

    @property
    def names(self) -> tuple[str, ...]:
        """The names, sorted."""
        return tuple(self.policies)

    @property
    def waivers(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the tolerated decisive tests, by policy; only policies that tolerate some."""
        waived = {name: tuple(sorted(file.policy.device.tolerate)) for name, file in self.policies.items()}
        return {name: checks for name, checks in waived.items() if checks}

    def get(self, name: str) -> PolicyFile:
        """Return the policy with the given name.

        Raises:
            PolicyNotFound: No policy has this name.
        """
        try:
            return self.policies[name]
        except KeyError:
            raise PolicyNotFound(name, self.names) from None


def parse_policy(source: bytes, *, origin: str) -> PolicyFile:
    """Read the bytes of a policy file.

    Args:
        source: UTF-8 TOML, at most 64 KiB.
        origin: Where the bytes come from, for messages.

    Raises:
        PolicyInvalid: The bytes are not TOML, or violate the schema; every problem is listed.
    """
    try:
        policy = Policy.model_validate(_table(source, origin=origin))
    except ValidationError as error:
        raise PolicyInvalid(tuple(_problems(error, origin=origin))) from error
    return PolicyFile(policy=policy, source=source, sha256=sha256(source).digest())


def _table(source: bytes, *, origin: str) -> dict[str, Any]:
    if len(source) > _MAX_BYTES:
        raise PolicyInvalid((f"{origin}: {len(source)} bytes; a policy file has at most {_MAX_BYTES}",))
    try:
        return read_toml(source)
    except TomlMalformed as error:
        raise PolicyInvalid((f"{origin}: {error}",)) from error


def read_policy(path: Path) -> PolicyFile:
    """Read one policy file.

    Raises:
        PolicyInvalid: The file cannot be read, or violates the schema.
    """
    try:
        source = read_trusted_file(path, max_bytes=_MAX_BYTES)
    except PrivateFileError as error:
        raise PolicyInvalid((str(error),)) from error
    except OSError as error:
        raise PolicyInvalid((f"{path}: cannot be read: {error.strerror or error}",)) from error
    return parse_policy(source, origin=str(path))


def load_policies(
    folder: Path | None = None, *, shipped: bool = True, served: Sequence[str] = ()
) -> PolicyBook:
    """Load the shipped policies, and those of the operator, which add to them or replace them.

    Args:
        folder: A folder whose ``*.toml`` files are policies; a file with the name of a shipped policy
            replaces it.
        shipped: Whether to load the shipped policies.
        served: The names of those to return (``policies.served``); empty for all.

    Raises:
        PolicyInvalid: A file violates the schema, or two files of the folder have the same name; the problems
            of all files are listed. Or there is no policy of a name in ``served``.
    """
    found = {file.policy.name: file for file in _shipped()} if shipped else {}
    if folder is not None:
        found |= _operators(folder)
    if served:
        if unknown := [name for name in dict.fromkeys(served) if name not in found]:
            known = ", ".join(sorted(found))
            raise PolicyInvalid(
                tuple(f"policies.served: no policy is named {name!r}; there are {known}" for name in unknown)
            )
        found = {name: found[name] for name in served}
    return PolicyBook(MappingProxyType(dict(sorted(found.items()))))


def _shipped() -> Iterable[PolicyFile]:
    for entry in (files("server.policies") / "shipped").iterdir():
        if entry.name.endswith(".toml"):
            yield parse_policy(entry.read_bytes(), origin=f"shipped {entry.name}")


def _operators(folder: Path) -> Mapping[str, PolicyFile]:
    if not folder.is_dir():
        raise PolicyInvalid(
            (f"{folder}: not a folder; set policies.folder to the folder with the policy files",)
        )
    found: dict[str, PolicyFile] = {}
    origins: dict[str, Path] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            file = read_policy(path)
        except PolicyInvalid as error:
            problems += error.problems
            continue
        name = file.policy.name
        if name in found:
            problems.append(f"{path}: name: {name!r} is also the name in {origins[name].name}")
        found[name] = file
        origins[name] = path
    if problems:
        raise PolicyInvalid(tuple(problems))
    return found


def _problems(error: ValidationError, *, origin: str) -> Iterable[str]:
    for item in error.errors(include_url=False, include_context=False):
        parts = (str(part) for part in item["loc"])
        key = ".".join(part for part in parts if part not in ASSURANCE_FORMS) or "(whole file)"
        match item["type"]:
            case "extra_forbidden":
                text = "there is no such key"
            case "missing":
                text = "is missing"
            case "value_error":
                text = item["msg"].removeprefix("Value error, ")
            case _:
                text = f"{item['msg']}, got {item['input']!r:.60}"
        yield f"{origin}: {key}: {text}"
