"""What sets a sandbox check apart from a real one.

A sandbox caller tests an integration: it sends the same frames again, from emulators, virtual cameras and
test devices, with a debugger attached or driven by a program. Its checks tolerate that, and everything they
produce says so. What is remembered of them is kept apart: a sandbox scan is never held against a real one,
and never stands in for one. Their share of the server is a sandbox's own, too.
"""

from collections.abc import Iterable
from typing import Final

__all__ = [
    "LONGEST_TENANT",
    "SCOPE_PREFIX",
    "TOLERATED",
    "memory_scope",
    "memory_scopes",
    "tolerated_checks",
]

SCOPE_PREFIX: Final = "sandbox:"
"""Begins the scope of a tenant's sandbox. The name of an API key's tenant holds no colon."""

LONGEST_TENANT: Final = 64 - len(SCOPE_PREFIX)
"""The most characters of a sandbox caller's tenant: storage keeps scopes of 64."""

TOLERATED: Final = frozenset(
    {
        "camera.name",
        "device.emulator",
        "memory.frames",
        "runtime.automation",
        "runtime.debugger",
        "runtime.emulator",
    }
)
"""Checks of a device that decide nothing in a sandbox check: listed virtual cameras, emulators, frames of an
earlier check, debuggers, and programs that drive the app."""


def tolerated_checks(waived: Iterable[str], *, sandbox: bool) -> frozenset[str]:
    """Checks of a device that must not decide: those that the policy waives, and a sandbox check's own."""
    return frozenset(waived) | (TOLERATED if sandbox else frozenset())


def memory_scope(tenant: str, *, sandbox: bool) -> str:
    """Under which name calls are counted, and request identifiers, frames and devices' keys remembered."""
    return SCOPE_PREFIX + tenant if sandbox else tenant


def memory_scopes(tenant: str) -> tuple[str, str]:
    """Both scopes of a tenant."""
    return memory_scope(tenant, sandbox=False), memory_scope(tenant, sandbox=True)
