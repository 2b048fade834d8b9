"""The differences between a sandbox check and a real one.

A sandbox caller tests an integration: it sends the same frames again, from emulators, virtual cameras and
test devices, with a debugger attached or under the control of a program. Sandbox checks tolerate that, and
their results are marked. Their scan memory is separate: a sandbox scan never counts against a real scan and
never replaces one. The places of the server are also counted separately for sandboxes.
"""

from collections.abc import Iterable
from typing import Final

SCOPE_PREFIX: Final = "sandbox:"
"""Prefix of the scope of a tenant's sandbox. The tenant name of an API key contains no colon."""

LONGEST_TENANT: Final = 64 - len(SCOPE_PREFIX)
"""The maximum length of the tenant name of a sandbox caller; storage has 64 characters for a scope."""

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
"""Device tests that are not decisive in a sandbox check: listed virtual cameras, emulators, frames of an
earlier check in whatever files, debuggers, and programs that control the app."""


def tolerated_checks(waived: Iterable[str], *, sandbox: bool) -> frozenset[str]:
    """Return the device tests that must not decide: the waived ones, and ``TOLERATED`` in a sandbox."""
    return frozenset(waived) | (TOLERATED if sandbox else frozenset())


def memory_scope(tenant: str, *, sandbox: bool) -> str:
    """Return the scope of counted calls, and of stored request identifiers, frames and device keys."""
    return SCOPE_PREFIX + tenant if sandbox else tenant


def memory_scopes(tenant: str) -> tuple[str, str]:
    """Return both scopes of a tenant."""
    return memory_scope(tenant, sandbox=False), memory_scope(tenant, sandbox=True)
