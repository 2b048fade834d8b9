"""Whether a policy can be met at all with what the settings configure.

Whatever a policy demands of the device has to be verifiable, or every check under it would fail. A policy is
available where devices of one platform at least can meet it: who has Android apps alone may serve a policy
that also says what iPhones must show.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from device_integrity.assurance import Assurance
from device_integrity.camera import Platform
from device_integrity.policy import Evidence, Shortfall, find_shortfall
from server.policies.device_rules import DeviceRules
from server.policies.loading import PolicyBook

__all__ = ["Availability", "PlatformShortfall", "availabilities", "availability"]

_CEILINGS: Final = {Evidence.WEB_KEY: Assurance.LOW}
"""This server enrols no credential of a page at more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformShortfall:
    """Why no device of a platform can meet a policy.

    Attributes:
        platform: The platform.
        settings: Names of the settings that are missing; empty where no setting would help.
        reason: Why, in plain words.
    """

    platform: Platform
    settings: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Whether a policy can be met.

    Attributes:
        available: Whether devices of some platform can meet it.
        shortfalls: The platforms that it allows and whose devices cannot.
    """

    available: bool
    shortfalls: tuple[PlatformShortfall, ...]

    @property
    def missing_settings(self) -> tuple[str, ...]:
        """Names of the settings without which platforms are left out."""
        return tuple(dict.fromkeys(name for each in self.shortfalls for name in each.settings))

    @property
    def reason(self) -> str:
        """Why platforms are left out, in plain words; where settings would bring some in, of those alone."""
        told = [each for each in self.shortfalls if each.settings] or self.shortfalls
        return "; ".join(f"{each.platform.lower()}: {each.reason}" for each in told)


def availability(rules: DeviceRules, *, missing: Mapping[Evidence, tuple[str, ...]]) -> Availability:
    """Whether devices can meet what a policy demands of them.

    Args:
        rules: The policy's.
        missing: Of each kind of evidence that the server cannot verify, the settings that it lacks.
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
    """The availability of every policy, by name."""
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
        words.append(f"it asks for {least}, which takes {' or '.join(shortfall.one_of)}")
        # The one that lacks least.
        needed.append(min(shortfall.one_of, key=lambda evidence: len(missing[evidence])))
    settings = tuple(dict.fromkeys(name for evidence in needed for name in missing[evidence]))
    return PlatformShortfall(
        platform=platform,
        settings=settings,
        reason=f"{', and '.join(words)}; not set: {', '.join(settings)}",
    )
