"""Whether devices of a platform can meet a policy at all, with the evidence that a server can verify."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from device_integrity.assurance import Assurance
from device_integrity.camera.claims import Platform
from device_integrity.policy.assess import OBSERVED
from device_integrity.policy.demands import ATTESTATIONS, Demand, DemandTable, Evidence

__all__ = ["Shortfall", "find_shortfall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Why no device of a platform can meet a policy.

    Attributes:
        missing: Evidence that the policy requires and the server cannot verify.
        one_of: Evidence of which any would reach the least assurance; the server can verify none of it.
        impossible: Why nothing that the server verified would do, in plain words; empty where something
            would.
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
    """What keeps every device of a platform from meeting a policy; ``None`` where nothing does.

    Only attestations and the server's key need something of a server: observations are always made.

    Args:
        platform: A platform that the policy allows.
        demands: The policy's table.
        verifiable: What the server can verify.
        ceilings: The most that evidence vouches for on this server, where that is less than
            ``Evidence.ceiling``.
    """
    own = ATTESTATIONS.get(platform, ())
    required = [
        evidence
        for evidence in Evidence
        if demands.of(platform, evidence) is Demand.REQUIRED
        and (evidence.vouches or evidence is Evidence.SERVER_KEY)
    ]
    for evidence in required:
        if evidence.vouches and evidence not in own:
            return Shortfall(impossible=f"it requires {evidence}, which no such device has")
        if evidence is Evidence.SERVER_KEY and platform is Platform.WEB:
            return Shortfall(impossible=f"it requires {evidence}, and no page sees the key of its connection")
    missing = tuple(evidence for evidence in required if evidence not in verifiable)
    least = demands.least(platform)
    if _claims_suffice(platform, least=least, demands=demands):
        return Shortfall(missing=missing) if missing else None
    able = tuple(
        evidence
        for evidence in own
        if demands.of(platform, evidence) is not Demand.IGNORED
        and (ceilings or {}).get(evidence, evidence.ceiling).level >= least.level
    )
    if not able:
        return Shortfall(impossible=f"it asks for {least}, which no evidence of such devices reaches")
    one_of = () if {*verifiable, *missing} & {*able} else able
    return Shortfall(missing=missing, one_of=one_of) if missing or one_of else None


def _claims_suffice(platform: Platform, *, least: Assurance, demands: DemandTable) -> bool:
    """Whether the least assurance takes no attestation: LOW is reached by consistent claims."""
    if least is Assurance.LOW:
        return not any(demands.of(platform, evidence) is Demand.IGNORED for evidence in OBSERVED)
    return least is Assurance.NONE
