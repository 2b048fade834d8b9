"""Finds out whether a policy can be met with the evidence that the settings configure.

The server must be able to verify everything that a policy demands of the device, or every check under the
policy would fail. A policy is available if devices of at least one platform can meet it. An operator with
only Android apps can thus use a policy that also has demands on iPhones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from device_integrity import Assurance
from device_integrity.camera import Platform
from device_integrity.policy import Evidence, Shortfall, find_shortfall
from server.policies.loading import PolicyBook
from server.policies.schema import DeviceRules

_CEILINGS: Final = {Evidence.WEB_KEY: Assurance.LOW}
"""This server enrols credentials of pages with LOW at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformShortfall:
    """Why no device of a platform can meet a policy.

    Attributes:
        settings: Names of the missing settings; empty if no setting would help.
    """

    platform: Platform
    settings: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Whether a policy can be met.

    Attributes:
        available: Whether devices of some platform can meet it.
        shortfalls: The platforms that the policy allows but whose devices cannot meet it.
    """

    available: bool
    shortfalls: tuple[PlatformShortfall, ...]

    @property
    def missing_settings(self) -> tuple[str, ...]:
        """Names of the settings that the excluded platforms lack."""
        return tuple(dict.fromkeys(name for each in self.shortfalls for name in each.settings))

    @property
    def reason(self) -> str:
        """Why platforms are excluded, as text; only those that settings would include, if there are any."""
        named = [each for each in self.shortfalls if each.settings] or self.shortfalls
        return "; ".join(f"{each.platform.lower()}: {each.reason}" for each in named)


def availability(rules: DeviceRules, *, missing: Mapping[Evidence, tuple[str, ...]]) -> Availability:
    """Return whether devices can meet the demands of a policy.

    Args:
        missing: The missing settings, by kind of evidence that the server cannot verify.
    """
    demands = rules.as_table()
    verifiable = frozenset(Evidence) - missing.keys()
    allowed = [platform for platform in Platform if demands.allows(platform)]
    shortfalls = []
    for platform in allowed:
        found = find_shortfall(platform, demands=demands, verifiable=verifiable, ceilings=_CEILINGS)
        if found is not None:
            least = demands.least(platform)
            shortfalls.append(_described(platform, found, least=least, missing=missing))
    return Availability(available=len(shortfalls) < len(allowed), shortfalls=tuple(shortfalls))


def availabilities(
    policies: PolicyBook, *, missing: Mapping[Evidence, tuple[str, ...]]
) -> Mapping[str, Availability]:
    """Return the availability of every policy, by name."""
    return {name: availability(policies.get(name).policy.device, missing=missing) for name in policies.names}


def _described(
    platform: Platform,
    shortfall: Shortfall,
    *,
    least: Assurance,
    missing: Mapping[Evidence, tuple[str, ...]],
) -> PlatformShortfall:
    if shortfall.impossible:
        return PlatformShortfall(platform=platform, settings=(), reason=shortfall.impossible)
    needed, words = list(shortfall.missing), []
    if shortfall.missing:
        words.append(f"it requires {' and '.join(shortfall.missing)}")
    if shortfall.one_of:
        words.append(f"it demands {least}, which requires {' or '.join(shortfall.one_of)}")
        # The kind of evidence with the fewest missing settings.
        needed.append(min(shortfall.one_of, key=lambda evidence: len(missing[evidence])))
    settings = tuple(dict.fromkeys(name for evidence in needed for name in missing[evidence]))
    return PlatformShortfall(
        platform=platform,
        settings=settings,
        reason=f"{', and '.join(words)}; not set: {', '.join(settings)}",
    )
