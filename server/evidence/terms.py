"""The terms by which the index finds the evidence record of a decided check."""

from collections.abc import Sequence

from liveness import Verdict
from server.domain.evidence_terms import ALL, pair_terms, reference_term, term
from server.verdict.outcome import CheckOutcome

__all__ = ["record_terms"]


def record_terms(outcome: CheckOutcome, *, tenant_key: bytes) -> tuple[str, ...]:
    """Returns the terms of a record, each once.

    Args:
        outcome: The decision.
        tenant_key: The key of the tenant with which references are hashed.
    """
    words = [
        ("status", outcome.verdict.status.value),
        *(("reason", reason.value) for reason in outcome.verdict.reasons),
        ("policy", outcome.policy_name),
        ("sandbox", "yes" if outcome.sandbox else "no"),
        *(("attack", attack) for attack in _attacks(outcome)),
        *(("sign", sign.of.value) for sign in outcome.device.signs if sign.suspected),
    ]
    found = [ALL, *(term(name, word) for name, word in words), *pair_terms(words)]
    if outcome.subject_reference:
        found.append(reference_term("subject", outcome.subject_reference, tenant_key=tenant_key))
    if outcome.consent_reference:
        found.append(reference_term("consent", outcome.consent_reference, tenant_key=tenant_key))
    return tuple(dict.fromkeys(found))


def _attacks(outcome: CheckOutcome) -> Sequence[str]:
    """Returns the type of attack, if liveness decided SPOOF and the result states it."""
    liveness = outcome.liveness
    if liveness is None or liveness.verdict is not Verdict.SPOOF or not outcome.verdict.about_person:
        return ()
    return (liveness.attack_type.value,)
