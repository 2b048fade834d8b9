"""What an app's SDK says that it found at run time: its own word, which can only count against the device.

A manipulated app reports nothing, so a report without findings proves nothing and is never a PASS. A finding
is believed: nobody gains by accusing their own device.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation

__all__ = [
    "MAX_NAME_CHARACTERS",
    "RUNTIME",
    "RUNTIME_FAILURES",
    "SOFT_RUNTIME_CHECKS",
    "RuntimeFinding",
    "RuntimeKind",
    "RuntimeReport",
    "check_runtime",
]

RUNTIME: Final = "runtime"
"""First part of the checks' names."""

MAX_NAME_CHARACTERS: Final = 64
"""Of a finding's name."""

_LONGEST_DETAIL: Final = 500


class RuntimeKind(StrEnum):
    """What can be found; the names are those of ``facegate.v1.RuntimeFindingKind``."""

    ROOT = "ROOT"
    HOOKING_FRAMEWORK = "HOOKING_FRAMEWORK"
    DEBUGGER = "DEBUGGER"
    EMULATOR = "EMULATOR"
    NETWORK_INTERCEPTION = "NETWORK_INTERCEPTION"
    SCREEN_SHARING = "SCREEN_SHARING"
    AUTOMATION = "AUTOMATION"
    OTHER = "OTHER"
    """Of a kind that this version does not know."""


@dataclass(frozen=True, slots=True)
class RuntimeFinding:
    """Something that was found.

    Attributes:
        kind: What it is.
        name: The SDK's name of the tool or trait; at most 64 printable ASCII characters, may be empty.
    """

    kind: RuntimeKind
    name: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeReport:
    """What was looked for and what was found, in one report or in all reports of a scan."""

    looked_for: frozenset[RuntimeKind] = frozenset()
    findings: frozenset[RuntimeFinding] = frozenset()

    def joined(self, other: "RuntimeReport") -> "RuntimeReport":
        """Both together: no report takes back what another one says."""
        return RuntimeReport(self.looked_for | other.looked_for, self.findings | other.findings)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a kind of finding means.

    Attributes:
        check: The check's name.
        reason: Of its failure.
        what: The finding in plain words.
        sign_of: What it is a sign of.
        soft: Whether honest people's devices have it too, so that it decides only where a policy says so.
    """

    check: str
    reason: str
    what: str
    sign_of: Manipulation | None
    soft: bool = True


_RULES: Final[Mapping[RuntimeKind, _Rule]] = {
    RuntimeKind.ROOT: _Rule(
        f"{RUNTIME}.root", "ROOT_OR_JAILBREAK", "a rooted or jailbroken system", Manipulation.ROOTED
    ),
    RuntimeKind.HOOKING_FRAMEWORK: _Rule(
        f"{RUNTIME}.hooking",
        "HOOKING_FRAMEWORK",
        "an active hooking framework",
        Manipulation.FUNCTION_HOOKING,
        soft=False,
    ),
    RuntimeKind.DEBUGGER: _Rule(
        f"{RUNTIME}.debugger",
        "DEBUGGER_ATTACHED",
        "an attached debugger",
        Manipulation.FUNCTION_HOOKING,
        soft=False,
    ),
    RuntimeKind.EMULATOR: _Rule(
        f"{RUNTIME}.emulator", "EMULATOR_TRAITS", "traits of an emulator", Manipulation.EMULATOR
    ),
    RuntimeKind.NETWORK_INTERCEPTION: _Rule(
        f"{RUNTIME}.network",
        "USER_CA_OR_PROXY",
        "a certificate authority that the user installed, or a proxy",
        Manipulation.MAN_IN_THE_MIDDLE,
    ),
    RuntimeKind.SCREEN_SHARING: _Rule(
        f"{RUNTIME}.screen_sharing",
        "SCREEN_SHARED",
        "a screen that is shared, recorded or controlled from afar",
        Manipulation.REMOTE_CONTROL,
    ),
    RuntimeKind.AUTOMATION: _Rule(
        f"{RUNTIME}.automation", "AUTOMATION", "a program that drives the app", Manipulation.REMOTE_CONTROL
    ),
    RuntimeKind.OTHER: _Rule(
        f"{RUNTIME}.other", "UNKNOWN_FINDING", "something of a kind that this server does not know", None
    ),
}

RUNTIME_FAILURES: Final[Mapping[str, str]] = {rule.check: rule.reason for rule in _RULES.values()}
"""Every check that can fail, and the reason of its failure."""

SOFT_RUNTIME_CHECKS: Final = frozenset(rule.check for rule in _RULES.values() if rule.soft)
"""Checks that decide only where a policy says so."""


def check_runtime(report: RuntimeReport | None, *, decide: Collection[str] = ()) -> tuple[DeviceCheck, ...]:
    """Turns reports into checks.

    Args:
        report: All reports of the scan, joined; ``None`` without any.
        decide: Names of soft checks that are to be hard, as the policy says.

    Returns:
        ``runtime.report`` where there is no report. Else ``runtime.root``, ``.hooking``, ``.debugger``,
        ``.emulator``, ``.network``, ``.screen_sharing``, ``.automation``, and ``.other`` where something of
        an unknown kind was found: FAIL where it was found, and NOT_EVALUATED otherwise. None of them passes.
    """
    if report is None:
        told = "The app does not report what it finds at run time."
        return (_open(f"{RUNTIME}.report", "NO_REPORT", told),)
    found = {finding.kind for finding in report.findings}
    return tuple(
        _failed(rule, kind, report, soft=rule.soft and rule.check not in decide)
        if kind in found
        else _nothing_found(rule, looked=kind in report.looked_for)
        for kind, rule in _RULES.items()
        if kind is not RuntimeKind.OTHER or kind in found
    )


def _failed(rule: _Rule, kind: RuntimeKind, report: RuntimeReport, *, soft: bool) -> DeviceCheck:
    names = sorted({one.name for one in report.findings if one.kind is kind and one.name})
    named = ", ".join(f'"{name}"' for name in names)
    told = f"The app reports {rule.what}{': ' if named else ''}{named}."
    return DeviceCheck(
        name=rule.check,
        outcome=DeviceFinding.FAIL,
        reason=rule.reason,
        detail=told[:_LONGEST_DETAIL],
        sign_of=rule.sign_of,
        soft=soft,
    )


def _nothing_found(rule: _Rule, *, looked: bool) -> DeviceCheck:
    if looked:
        told = f"The app says that it looked for {rule.what} and found none. A manipulated app says the same."
        return _open(rule.check, "NOTHING_FOUND", told)
    return _open(rule.check, "NOT_LOOKED_FOR", f"The app did not look for {rule.what}.")


def _open(name: str, reason: str, detail: str) -> DeviceCheck:
    return DeviceCheck(name=name, outcome=DeviceFinding.NOT_EVALUATED, reason=reason, detail=detail)
