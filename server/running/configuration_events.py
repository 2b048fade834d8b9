"""The entries of the audit log about the configuration of a server: settings, policies, callers, keys.

Each event has the detail ``sha256`` over what it describes. An entry is written if that differs from the
newest entry of the same action, so that replicas with the same configuration write one.
"""

import json
import platform
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Generic, TypeVar

from server.audit import SERVER_TENANT, Actor, AuditAction, AuditEvent
from server.base.version import server_version
from server.configuration.settings import Settings
from server.configuration.view import shown_settings
from server.policies import PolicyBook

__all__ = [
    "COMPARED",
    "DescribedPart",
    "callers_event",
    "keys_event",
    "policies_event",
    "server_actor",
    "settings_event",
]

_Content = TypeVar("_Content")

COMPARED: Final = "sha256"
"""The detail by which events of the same action are compared."""

_MOST_DETAILS: Final = 100
_LONGEST_VALUE: Final = 1000
_SHORT_HASH: Final = 16


@dataclass(frozen=True, slots=True)
class DescribedPart(Generic[_Content]):
    """A part of the configuration that the audit log describes.

    Attributes:
        content: Returns the part; another object once it has changed.
        event: Returns the event that describes it.
    """

    content: Callable[[], _Content]
    event: Callable[[_Content], AuditEvent]


def server_actor() -> Actor:
    """Returns this server as an actor: the name of its machine."""
    return Actor(name=_printable(platform.node())[:64] or "server", role="server")


def settings_event(settings: Settings) -> AuditEvent:
    """Returns the event of the settings: hashes of all and of each table, without secrets.

    Secrets in URLs are masked before they are hashed; other secrets lie in files that settings only name.
    """
    shown = shown_settings(settings)
    tables: dict[str, dict[str, Any]] = {}
    for key, value in shown.items():
        tables.setdefault(key.partition(".")[0], {})[key] = value
    return _event(
        AuditAction.SETTINGS_CHANGED,
        {"version": server_version(), **{name: _hash(table)[:_SHORT_HASH] for name, table in tables.items()}},
        described={"version": server_version(), "settings": shown},
    )


def policies_event(policies: PolicyBook) -> AuditEvent:
    """Returns the event of the policies: the version and SHA-256 of each."""
    described = {
        name: f"version {file.policy.version}; sha256 {file.sha256.hex()}"
        for name, file in policies.policies.items()
    }
    return _event(AuditAction.POLICIES_CHANGED, described, described=described)


def callers_event(entries: Mapping[str, str]) -> AuditEvent:
    """Returns the event of the callers that may call.

    Args:
        entries: What ``CallerIdentifier.entries`` returns.
    """
    return _event(AuditAction.CALLERS_CHANGED, entries, described=dict(entries))


def keys_event(names: Collection[str]) -> AuditEvent:
    """Returns the event of the files in the key folder, of which only the names are described."""
    purposes: dict[str, list[str]] = {}
    for name in sorted(names):
        purposes.setdefault(name.partition("-")[0], []).append(name)
    described = {purpose: " ".join(files) for purpose, files in purposes.items()}
    return _event(AuditAction.KEYS_CHANGED, described, described=described)


def _event(action: AuditAction, detail: Mapping[str, str], *, described: Mapping[str, Any]) -> AuditEvent:
    shown = {
        _printable(key)[:64]: _printable(value)[:_LONGEST_VALUE]
        for key, value in sorted(detail.items())[:_MOST_DETAILS]
    }
    return AuditEvent(
        tenant=SERVER_TENANT,
        action=action,
        actor=server_actor(),
        detail={**shown, "described": str(len(detail)), COMPARED: _hash(described)},
    )


def _hash(value: Mapping[str, Any]) -> str:
    return sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
