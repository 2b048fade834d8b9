"""A list by any combination of conditions has the checks that a plain loop over the outcomes finds."""

import random
from dataclasses import dataclass, replace

from device_integrity.check import Manipulation
from liveness import AttackType, Verdict
from server.compliance.listing import CheckFilter
from server.domain.terms import HOLD
from server.evidence.records import record_terms
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.repository import CheckRepository
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from server.verdict.outcome import CheckOutcome
from tests.server.storage.samples import after, decision, new_check, sealed_record
from tests.server.verdict.samples import OUTCOME, camera_sign

_KEY = bytes(32)
_CHECKS = 80
_FILTERS = 400
_STATUSES = (CheckStatus.SUCCESS, CheckStatus.FAILURE)
_REASONS = (FailureReason.SPOOF, FailureReason.NOT_SAME_PERSON)
_ATTACKS = (AttackType.PRINT, AttackType.INJECTION)
_SIGNS = (Manipulation.VIRTUAL_CAMERA, Manipulation.EMULATOR)
_POLICIES = ("standard", "high")
_PEOPLE = ("anna", "bert")


@dataclass(frozen=True, slots=True)
class _Check:
    outcome: CheckOutcome
    second: int
    held: bool

    def meets(self, chosen: CheckFilter) -> bool:
        outcome = self.outcome
        assert outcome.liveness is not None
        moment = after(self.second)
        return (
            (chosen.since is None or moment >= chosen.since)
            and (chosen.before is None or moment < chosen.before)
            and chosen.subject_reference in {"", outcome.subject_reference}
            and chosen.consent_reference in {"", outcome.consent_reference}
            and chosen.status in {None, outcome.verdict.status}
            and chosen.reason in {None, *outcome.verdict.reasons}
            and (
                chosen.attack is None
                or (outcome.liveness.verdict is Verdict.SPOOF and chosen.attack is outcome.liveness.attack)
            )
            and chosen.policy in {"", outcome.policy_name}
            and chosen.sign in {"", *(sign.of.value for sign in outcome.device.signs)}
            and chosen.sandbox in {None, outcome.sandbox}
            and (self.held or not chosen.on_hold)
        )


def _made(choice: random.Random, second: int) -> _Check:
    assert OUTCOME.liveness is not None
    verdict, score = choice.choice(((Verdict.LIVE, 90.0), (Verdict.SPOOF, 10.0)))
    liveness = replace(OUTCOME.liveness, verdict=verdict, score=score, attack=choice.choice(_ATTACKS))
    reasons = tuple(choice.sample(_REASONS, choice.randint(0, 2)))
    signs = tuple(
        replace(camera_sign(1.0), of=of) for of in choice.sample(_SIGNS, choice.choice((0, 0, 1, 2)))
    )
    outcome = replace(
        OUTCOME,
        verdict=CheckVerdict(choice.choice(_STATUSES), reasons),
        liveness=liveness,
        device=replace(OUTCOME.device, signs=signs),
        policy_name=choice.choice(_POLICIES),
        sandbox=choice.random() < 0.5,
        subject_reference=choice.choice(_PEOPLE),
        consent_reference=choice.choice(_PEOPLE),
    )
    return _Check(outcome, second, held=choice.random() < 0.5)


def _chosen(choice: random.Random) -> CheckFilter:
    return CheckFilter(
        since=choice.choice((None, None, after(_CHECKS // 4))),
        before=choice.choice((None, None, after(_CHECKS // 2))),
        subject_reference=choice.choice(("", "", "", *_PEOPLE)),
        consent_reference=choice.choice(("", "", "", *_PEOPLE)),
        status=choice.choice((None, None, *_STATUSES)),
        reason=choice.choice((None, None, *_REASONS)),
        attack=choice.choice((None, None, *_ATTACKS)),
        policy=choice.choice(("", "", *_POLICIES)),
        sign=choice.choice(("", "", *(sign.value for sign in _SIGNS))),
        sandbox=choice.choice((None, None, True, False)),
        on_hold=choice.random() < 0.2,
    )


async def test_every_combination_of_conditions_finds_what_a_loop_finds(
    repository: CheckRepository, records: EvidenceRecordRepository
) -> None:
    choice = random.Random(33)
    made = {}
    for second in range(_CHECKS):
        check = _made(choice, second)
        terms = (*record_terms(check.outcome, tenant_key=_KEY), *((HOLD,) if check.held else ()))
        record = await repository.create(new_check(), None)
        sealed = replace(sealed_record(), terms=terms)
        decided = replace(decision(), decide_time=after(second), record=sealed)
        await repository.decide(record.check_id, epoch=None, decision=decided)
        made[record.check_id] = check
    newest = sorted(made, key=lambda check_id: -made[check_id].second)
    found_any = 0
    for _ in range(_FILTERS):
        chosen = _chosen(choice)
        listed = await records.list(
            "default", chosen.terms((_KEY,)), since=chosen.since, before=chosen.before, limit=_CHECKS
        )
        found = [line.check_id for line in listed]
        assert found == [check_id for check_id in newest if made[check_id].meets(chosen)], chosen
        found_any += bool(found)
    assert _FILTERS / 4 < found_any < _FILTERS
