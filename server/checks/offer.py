"""Decides which policies and modes a check may request at a server."""

from collections.abc import Mapping
from dataclasses import dataclass

from liveness import ChallengeKind
from matcher import CalibrationTooWeak, MatchPolicy, require_calibration_support
from server.base.errors import Reason, Refusal
from server.domain.terms import Mode
from server.policies import Policy, PolicyBook, PolicyFile
from server.policies.availability import Availability
from server.policies.loading import PolicyNotFound
from server.policies.schema import ChallengeDemands
from vision.packs import Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOffer:
    """The policies and modes that a server offers, given its settings and its models.

    Attributes:
        availabilities: Whether any device can meet a policy with the evidence that the server is
            configured to verify, by the name of the policy.
        default_policy: The policy of a check that names none.
        allow_evaluation_pack: Whether a pack for evaluation may serve EXPRESS checks.
    """

    policies: PolicyBook
    availabilities: Mapping[str, Availability]
    default_policy: str
    pack: Pack
    allow_evaluation_pack: bool

    def choose(self, *, policy: str, mode: Mode | None) -> tuple[PolicyFile, Mode]:
        """Return the policy and the mode of a new check.

        Args:
            policy: Name of the policy; empty for the default.
            mode: A mode to which the policy's mode is raised; ``None`` for the policy's mode.

        Raises:
            Refusal: POLICY_NOT_FOUND, POLICY_NOT_AVAILABLE, MODE_BELOW_POLICY or MODE_NOT_AVAILABLE.
        """
        file = self._policy(policy)
        self._require_evidence(file.policy)
        chosen = self._mode(mode, file)
        self._require_pack(file.policy, chosen)
        return file, chosen

    def _policy(self, name: str) -> PolicyFile:
        try:
            return self.policies.get(name or self.default_policy)
        except PolicyNotFound as error:
            raise Refusal(
                Reason.POLICY_NOT_FOUND, str(error), details={"policies": ", ".join(error.known)}
            ) from error

    def _mode(self, asked: Mode | None, file: PolicyFile) -> Mode:
        own = file.policy.mode
        mode = asked or own
        if mode.strength < own.strength:
            raise Refusal(
                Reason.MODE_BELOW_POLICY,
                f"the policy {file.policy.name} demands {own}, and a check may not lower it to {mode}",
                details={"mode": mode.value, "policyMode": own.value},
            )
        if mode is Mode.DYNAMIC and (reason := file.policy.why_no_flash) is not None:
            raise Refusal(
                Reason.MODE_NOT_AVAILABLE,
                f"the policy {file.policy.name} allows no {mode} scan: {reason}. Choose another policy or "
                "mode.",
                details={"mode": mode.value, "availableModes": own.value},
            )
        return mode

    def _require_evidence(self, policy: Policy) -> None:
        found = self.availabilities[policy.name]
        if not found.available:
            missing = ", ".join(found.missing_settings)
            raise Refusal(
                Reason.POLICY_NOT_AVAILABLE,
                f"no device can meet the policy {policy.name} on this server: {found.reason}",
                details={"policy": policy.name, **({"missingSettings": missing} if missing else {})},
            )

    def _require_pack(self, policy: Policy, mode: Mode) -> None:
        shortfall = pack_shortfall(
            policy, self.pack, requested=mode, allow_evaluation_pack=self.allow_evaluation_pack
        )
        if shortfall is not None:
            raised = "" if mode is policy.mode else f", raised to {mode},"
            raise Refusal(
                Reason.POLICY_NOT_AVAILABLE,
                f"the policy {policy.name}{raised} cannot be met by the pack {self.pack.name}: {shortfall}",
                details={"policy": policy.name, "pack": self.pack.name, "mode": mode.value},
            )


def pack_shortfall(
    policy: Policy, pack: Pack, *, allow_evaluation_pack: bool, requested: Mode | None = None
) -> str | None:
    """Describe a demand of ``policy`` that ``pack`` cannot meet; ``None`` if the pack meets all of them.

    A pack that is for evaluation only does not meet an EXPRESS policy: EXPRESS decides by the models alone.

    Args:
        allow_evaluation_pack: Whether the settings allow EXPRESS with a pack that is for evaluation only.
        requested: The mode of a check; ``None`` for the policy's mode.
    """
    mode = requested or policy.mode
    if pack.evaluation_only and mode is Mode.EXPRESS and not allow_evaluation_pack:
        return (
            "it is an EXPRESS policy, and the pack is for evaluation only. Set another pack, such as open "
            "(`facegate models pull open`), choose a DYNAMIC policy, or set allow_evaluation_pack = true"
        )
    try:
        require_calibration_support(pack.match_calibration, MatchPolicy(max_fmr=policy.match.max_fmr))
    except CalibrationTooWeak as error:
        trials = " For trials there is the policy evaluation." if pack.evaluation_only else ""
        return f"{error}{trials}"
    if policy.liveness.require_pad_network and not pack.pad_networks:
        return "it demands a PAD network, and the pack has none"
    scheme = None if pack.landmarker is None else pack.landmarker.scheme
    return _unmeasured(policy.challenge_for(mode), pack) or policy.portrait.as_policy().shortfall(scheme)


def unmeasured_challenges(policy: Policy, requested: Mode, pack: Pack) -> frozenset[ChallengeKind]:
    """Return the challenges that cannot follow doubt because the pack cannot measure what they demand."""
    if policy.doubt is None:
        return frozenset()
    return frozenset(
        each for each in policy.doubt.order if _unmeasured(policy.challenge_for(requested, each), pack)
    )


def _unmeasured(demands: ChallengeDemands, pack: Pack) -> str | None:
    """Describe a demand on a challenge that the pack cannot measure; ``None`` if it measures all."""
    if demands.blink and pack.landmarker is None:
        return "it demands a blink, and the pack has no dense landmarks to measure one"
    if demands.open_mouth and (pack.landmarker is None or pack.landmarker.scheme != "mediapipe478"):
        return "it asks to open the mouth, and the pack has no MediaPipe landmarks to measure it"
    if demands.turn_head and pack.landmarker is None:
        return "it asks to turn the head, and the pack has no dense landmarks to measure it"
    return None
