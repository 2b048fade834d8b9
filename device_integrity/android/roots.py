"""The trust roots of Android key attestation, which are keys, not certificates."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final

from device_integrity.errors import AnchorsUnusable

__all__ = ["RootKind", "TrustRoot", "google_roots", "parse_roots"]

_DATA_FILE: Final = "android_roots.toml"
_HEX_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_KEYS: Final = {"name", "kind", "subject", "spki_sha256"}


class RootKind(StrEnum):
    """The kinds of trust roots."""

    HARDWARE = "hardware"
    """Google vouches for a key in secure hardware."""
    SOFTWARE = "software"
    """The root of a software keystore, such as an emulator's. Its private key is published."""
    NON_PRODUCTION = "non_production"
    """The root of devices that were never sold."""
    FURTHER = "further"
    """A root of secure hardware that the operator's settings name; never in this package's data."""
    TEST = "test"
    """A root of the operator's own, for test devices; never in this package's data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoot:
    """A key at which a chain may end.

    Attributes:
        name: The common name of the root.
        kind: The kind of the root.
        subject: The name in its certificates, in the form of RFC 4514.
        spki_sha256: SHA-256 of its SubjectPublicKeyInfo in DER, 32 bytes.
    """

    name: str
    kind: RootKind
    subject: str
    spki_sha256: bytes


@cache
def google_roots() -> tuple[TrustRoot, ...]:
    """Returns the roots that this release knows.

    Raises:
        AnchorsUnusable: The package's data file is missing or damaged.
    """
    try:
        text = files("device_integrity.android").joinpath(_DATA_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AnchorsUnusable(f"{_DATA_FILE} cannot be read") from error
    return parse_roots(text)


def parse_roots(text: str) -> tuple[TrustRoot, ...]:
    """Reads a file of roots: a TOML array of tables ``root``.

    Raises:
        AnchorsUnusable: It is not TOML, has no root or one key twice, or a root is malformed.
    """
    try:
        tables: Any = tomllib.loads(text).get("root")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise AnchorsUnusable(f"the trust roots are not TOML: {error}") from error
    if not isinstance(tables, list) or not tables:
        raise AnchorsUnusable("the trust roots have no array of tables `root`")
    roots = tuple(map(_root, tables))
    _refuse_doubles(roots)
    return roots


def _root(table: Any) -> TrustRoot:
    if (
        not isinstance(table, dict)
        or set(table) != _KEYS
        or not all(isinstance(v, str) for v in table.values())
    ):
        raise AnchorsUnusable(f"a trust root has to have exactly the texts {sorted(_KEYS)}")
    if not _HEX_SHA256.fullmatch(table["spki_sha256"]):
        raise AnchorsUnusable("spki_sha256 has to have 64 lowercase hexadecimal digits")
    try:
        kind = RootKind(table["kind"])
    except ValueError as error:
        raise AnchorsUnusable(f"kind has to be one of {[str(kind) for kind in RootKind]}") from error
    return TrustRoot(
        name=table["name"],
        kind=kind,
        subject=table["subject"],
        spki_sha256=bytes.fromhex(table["spki_sha256"]),
    )


def _refuse_doubles(roots: Iterable[TrustRoot]) -> None:
    seen: set[bytes] = set()
    for root in roots:
        if root.spki_sha256 in seen:
            raise AnchorsUnusable(f"the key of {root.name} is listed twice")
        seen.add(root.spki_sha256)
