"""Run-time findings: the claims of an app's SDK, which can only count against the device.

A manipulated app reports nothing, so a report without findings proves nothing and is never a PASS. A finding
is believed, because no attacker gains by accusing their own device.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from device_integrity.device_test import DeviceTest, Manipulation, not_evaluated, suspect

RUNTIME_VERIFIER: Final = "runtime"
"""First part of the tests' names."""

MAX_NAME_CHARACTERS: Final = 64
"""Maximum length of a finding's name."""


class RuntimeKind(StrEnum):
    """The kinds of findings; the names are those of ``facegate.v1.RuntimeFindingKind``."""

    ROOT = "ROOT"
    HOOKING_FRAMEWORK = "HOOKING_FRAMEWORK"
    DEBUGGER = "DEBUGGER"
    EMULATOR = "EMULATOR"
    NETWORK_INTERCEPTION = "NETWORK_INTERCEPTION"
    SCREEN_SHARING = "SCREEN_SHARING"
    AUTOMATION = "AUTOMATION"
    OTHER = "OTHER"
    """A kind that this version does not know."""


@dataclass(frozen=True, slots=True)
class RuntimeFinding:
    """One finding of the app's SDK.

    Attributes:
        name: The SDK's name of the tool or trait; at most 64 printable ASCII characters, may be empty.
    """

    kind: RuntimeKind
    name: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeReport:
    """The kinds that the app tested for, and its findings, in one report or in all reports of a scan."""

    looked_for: frozenset[RuntimeKind] = frozenset()
    findings: frozenset[RuntimeFinding] = frozenset()

    def joined(self, other: "RuntimeReport") -> "RuntimeReport":
        """Return the union of both reports: no report withdraws a finding of another one."""
        return RuntimeReport(self.looked_for | other.looked_for, self.findings | other.findings)


@dataclass(frozen=True, slots=True)
class _Rule:
    """The meaning of a kind of finding.

    Attributes:
        check: The test's name.
        what: The finding in plain words.
        sign_of: The manipulation of which it is a sign, or ``None``.
        soft: Whether honest devices cause the finding too, so that it decides only if a policy says so.
    """

    check: str
    reason: str
    what: str
    sign_of: Manipulation | None
    soft: bool = True


_RULES: Final[Mapping[RuntimeKind, _Rule]] = {
    RuntimeKind.ROOT: _Rule(
        f"{RUNTIME_VERIFIER}.root", "ROOT_OR_JAILBREAK", "a rooted or jailbroken system", Manipulation.ROOTED
    ),
    RuntimeKind.HOOKING_FRAMEWORK: _Rule(
        f"{RUNTIME_VERIFIER}.hooking",
        "HOOKING_FRAMEWORK",
        "an active hooking framework",
        Manipulation.FUNCTION_HOOKING,
        soft=False,
    ),
    RuntimeKind.DEBUGGER: _Rule(
        f"{RUNTIME_VERIFIER}.debugger",
        "DEBUGGER_ATTACHED",
        "an attached debugger",
        Manipulation.FUNCTION_HOOKING,
        soft=False,
    ),
    RuntimeKind.EMULATOR: _Rule(
        f"{RUNTIME_VERIFIER}.emulator", "EMULATOR_TRAITS", "traits of an emulator", Manipulation.EMULATOR
    ),
    RuntimeKind.NETWORK_INTERCEPTION: _Rule(
        f"{RUNTIME_VERIFIER}.network",
        "USER_CA_OR_PROXY",
        "a certificate authority that the user installed, or a proxy",
        Manipulation.MAN_IN_THE_MIDDLE,
    ),
    RuntimeKind.SCREEN_SHARING: _Rule(
        f"{RUNTIME_VERIFIER}.screen_sharing",
        "SCREEN_SHARED",
        "a screen that is shared, recorded or controlled remotely",
        Manipulation.REMOTE_CONTROL,
    ),
    RuntimeKind.AUTOMATION: _Rule(
        f"{RUNTIME_VERIFIER}.automation",
        "AUTOMATION",
        "a program that drives the app",
        Manipulation.REMOTE_CONTROL,
    ),
    RuntimeKind.OTHER: _Rule(
        f"{RUNTIME_VERIFIER}.other",
        "UNKNOWN_FINDING",
        "a finding of a kind that this server does not know",
        None,
    ),
}

RUNTIME_FAILURES: Final[Mapping[str, str]] = {rule.check: rule.reason for rule in _RULES.values()}
"""Every test that can fail, and the reason of its failure."""

SOFT_RUNTIME_CHECKS: Final = frozenset(rule.check for rule in _RULES.values() if rule.soft)
"""Tests that decide only if a policy says so."""


def check_runtime(report: RuntimeReport | None, *, decide: Collection[str] = ()) -> tuple[DeviceTest, ...]:
    """Turn reports into tests.

    Args:
        report: All reports of the scan, joined; ``None`` if there is none.
        decide: Names of soft tests that the policy makes hard.

    Returns:
        ``runtime.report`` if there is no report. Otherwise ``runtime.root``, ``.hooking``, ``.debugger``,
        ``.emulator``, ``.network``, ``.screen_sharing``, ``.automation``, and ``.other`` if there is a
        finding of an unknown kind. A test is FAIL if there is a finding of its kind, and NOT_EVALUATED
        otherwise. None of them passes.
    """
    if report is None:
        detail = "The app sent no report of run-time findings."
        return (not_evaluated(f"{RUNTIME_VERIFIER}.report", "NO_REPORT", detail),)
    found = {finding.kind for finding in report.findings}
    return tuple(
        _failed(rule, kind, report, soft=rule.soft and rule.check not in decide)
        if kind in found
        else _nothing_found(rule, searched=kind in report.looked_for)
        for kind, rule in _RULES.items()
        if kind is not RuntimeKind.OTHER or kind in found
    )


def _failed(rule: _Rule, kind: RuntimeKind, report: RuntimeReport, *, soft: bool) -> DeviceTest:
    names = sorted({one.name for one in report.findings if one.kind is kind and one.name})
    named = ", ".join(f'"{name}"' for name in names)
    detail = f"The app reports {rule.what}{': ' if named else ''}{named}."
    return suspect(rule.check, rule.reason, detail, sign=rule.sign_of, soft=soft)


def _nothing_found(rule: _Rule, *, searched: bool) -> DeviceTest:
    if searched:
        detail = f"The app searched for {rule.what} and reports none. A manipulated app reports the same."
        return not_evaluated(rule.check, "NOTHING_FOUND", detail)
    return not_evaluated(rule.check, "NOT_LOOKED_FOR", f"The app did not search for {rule.what}.")
