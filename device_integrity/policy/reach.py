"""Tests whether devices of a platform can meet a policy with the evidence that a server can verify."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from device_integrity.camera.claims import Platform
from device_integrity.check import Assurance
from device_integrity.policy.assess import OBSERVED
from device_integrity.policy.demands import ATTESTATIONS, Demand, DemandTable, Evidence

__all__ = ["Shortfall", "find_shortfall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """The reasons why no device of a platform can meet a policy.

    Attributes:
        missing: Evidence that the policy requires and the server cannot verify.
        one_of: Kinds of evidence that would each reach the least assurance; the server can verify none of
            them.
        impossible: Why no possible evidence suffices, in plain words; empty if some evidence does.
    """

    missing: tuple[Evidence, ...] = ()
    one_of: tuple[Evidence, ...] = ()
    impossible: str = ""


def find_shortfall(
    platform: Platform,
    *,
    demands: DemandTable,
    verifiable: Collection[Evidence],
    ceilings: Mapping[Evidence, Assurance] | None = None,
) -> Shortfall | None:
    """Returns why no device of a platform can meet a policy; ``None`` if devices can.

    Only attestations and the server's key depend on the server's settings: observations are always made.

    Args:
        platform: A platform that the policy allows.
        demands: The policy's table.
        verifiable: The evidence that the server can verify.
        ceilings: The highest assurance that a kind of evidence can give on this server, if that is less than
            ``Evidence.ceiling``.
    """
    own = ATTESTATIONS.get(platform, ())
    required = [
        evidence
        for evidence in Evidence
        if demands.demand_for(platform, evidence) is Demand.REQUIRED
        and (evidence.raises_assurance or evidence is Evidence.SERVER_KEY)
    ]
    for evidence in required:
        if evidence.raises_assurance and evidence not in own:
            return Shortfall(impossible=f"it requires {evidence}, which devices of this platform do not have")
        if evidence is Evidence.SERVER_KEY and platform is Platform.WEB:
            return Shortfall(
                impossible=f"it requires {evidence}, but a web page cannot see its connection's key"
            )
    missing = tuple(evidence for evidence in required if evidence not in verifiable)
    least = demands.least(platform)
    if _claims_suffice(platform, least=least, demands=demands):
        return Shortfall(missing=missing) if missing else None
    able = tuple(
        evidence
        for evidence in own
        if demands.demand_for(platform, evidence) is not Demand.IGNORED
        and (ceilings or {}).get(evidence, evidence.ceiling).level >= least.level
    )
    if not able:
        return Shortfall(
            impossible=f"it demands assurance {least}, which no evidence of such devices reaches"
        )
    one_of = () if {*verifiable, *missing} & {*able} else able
    return Shortfall(missing=missing, one_of=one_of) if missing or one_of else None


def _claims_suffice(platform: Platform, *, least: Assurance, demands: DemandTable) -> bool:
    """Returns whether consistent claims reach the least assurance, without an attestation."""
    if least is Assurance.LOW:
        return not any(demands.demand_for(platform, evidence) is Demand.IGNORED for evidence in OBSERVED)
    return least is Assurance.NONE
