"""Which decisions begin a review, and what orchestrators learn of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from server.checks.reviews import ReviewSelection
from server.domain.reviews import ReviewCause
from server.domain.terms import CheckStatus, FailureReason, reference_term
from server.policies import Policy, parse_policy
from server.verdict.outcome import CheckOutcome
from tests.server.policy_files import write_policy
from tests.server.storage.samples import new_check
from tests.server.verdict.samples import OUTCOME, camera_sign

_KEYS = (b"new key", b"old key")


class _Records:
    """Stands in for the records of a person's earlier checks."""

    def __init__(self, *reasons: tuple[FailureReason, ...]) -> None:
        self.reasons = reasons
        self.asked: dict[str, Any] = {}

    async def list(
        self, tenant: str, terms: Sequence[Sequence[str]], *, since: datetime, limit: int
    ) -> list[SimpleNamespace]:
        self.asked = {"tenant": tenant, "terms": terms, "since": since}
        return [SimpleNamespace(status=CheckStatus.FAILURE, reasons=one) for one in self.reasons[:limit]]


@pytest.fixture
def policy(tmp_path: Any) -> Any:
    def made(review: str) -> Policy:
        write_policy(tmp_path, "reviewed", tables=f"[review]\n{review}\n")
        return parse_policy((tmp_path / "reviewed.toml").read_bytes(), origin="a test").policy

    return made


def _failed(*reasons: FailureReason) -> CheckOutcome:
    return replace(OUTCOME, verdict=replace(OUTCOME.verdict, status=CheckStatus.FAILURE, reasons=reasons))


_SUCCESS = replace(OUTCOME, verdict=replace(OUTCOME.verdict, status=CheckStatus.SUCCESS, reasons=()))
_SIGNED = replace(_SUCCESS, device=replace(_SUCCESS.device, signs=(camera_sign(0.6),)))
_CALM = replace(_SUCCESS, device=replace(_SUCCESS.device, signs=(camera_sign(0.4),)))


async def _causes(
    policy: Policy, outcome: CheckOutcome, *, doubted: bool = False, records: _Records | None = None
) -> tuple[ReviewCause, ...]:
    selection = ReviewSelection(records=records or _Records(), tenant_keys=lambda _: _KEYS)  # type: ignore[arg-type]
    review = await selection.begin(
        replace(new_check(UUID(int=1)), created_by="backend"),
        outcome,
        policy=policy,
        doubted=doubted,
        until=outcome.decide_time + timedelta(days=30),
        result=b"result",
    )
    if review is None:
        return ()
    assert review.created_by == "backend"
    assert review.result_sha256 == sha256(b"result").digest()
    assert review.create_time == outcome.decide_time
    return review.causes


@pytest.mark.parametrize(
    ("table", "outcome", "doubted", "expected"),
    [
        ("doubt = true", _SUCCESS, True, (ReviewCause.DOUBT,)),
        ("doubt = true", _SUCCESS, False, ()),
        # The challenge did not resolve it, and the machine has refused the person.
        ("doubt = true", _failed(FailureReason.SPOOF), True, ()),
        (
            "inconclusive = true",
            _failed(FailureReason.CONDITIONS, FailureReason.LIVENESS_INCONCLUSIVE),
            False,
            (ReviewCause.INCONCLUSIVE,),
        ),
        ("inconclusive = true", _failed(FailureReason.SPOOF), False, ()),
        ("device_signs = true", _SIGNED, False, (ReviewCause.DEVICE_SIGN,)),
        ("device_signs = true", _CALM, False, ()),
        ("sample_percent = 100", _SUCCESS, False, (ReviewCause.SAMPLE,)),
        ("sample_percent = 100", _failed(FailureReason.SPOOF), False, ()),
        ("sample_percent = 1e-9", _SUCCESS, False, ()),
        (
            "doubt = true\nsample_percent = 100.0",
            _SUCCESS,
            True,
            (ReviewCause.DOUBT, ReviewCause.SAMPLE),
        ),
    ],
)
async def test_the_policy_sends_a_check_to_review(
    policy: Any, table: str, outcome: CheckOutcome, doubted: bool, expected: tuple[ReviewCause, ...]
) -> None:
    assert await _causes(policy(table), outcome, doubted=doubted) == expected


async def test_the_last_of_a_persons_failures_is_reviewed(policy: Any) -> None:
    spoof, left = (FailureReason.SPOOF,), (FailureReason.ABANDONED,)
    three = policy("failures = 3\nfailures_days = 7")
    records = _Records(spoof, left, spoof)
    assert await _causes(three, _failed(*spoof), records=records) == (ReviewCause.REPEATED_FAILURES,)
    assert records.asked["since"] == OUTCOME.decide_time - timedelta(days=7)
    person, failed = records.asked["terms"]
    assert person == tuple(reference_term("subject", "subject-1", tenant_key=key) for key in _KEYS)
    assert failed == ("status_sandbox:FAILURE:no",)
    assert await _causes(three, _failed(*spoof), records=_Records(spoof, left, left)) == ()
    assert await _causes(three, _failed(*left), records=_Records(spoof, spoof, spoof)) == ()
    assert await _causes(three, _SUCCESS, records=_Records(spoof, spoof, spoof)) == ()


async def test_a_review_ends_before_the_images_are_erased(policy: Any) -> None:
    selection = ReviewSelection(records=_Records(), tenant_keys=lambda _: _KEYS)  # type: ignore[arg-type]
    for until, ends in ((timedelta(hours=5), timedelta(hours=5)), (timedelta(days=9), timedelta(hours=6))):
        review = await selection.begin(
            new_check(),
            _SUCCESS,
            policy=policy("sample_percent = 100\ndeadline_hours = 6\nclaim_minutes = 3\nfour_eyes = true"),
            doubted=False,
            until=OUTCOME.decide_time + until,
            result=b"result",
        )
        assert review is not None
        assert review.expire_time == OUTCOME.decide_time + ends
        assert (review.claim_seconds, review.four_eyes) == (180, True)


async def test_a_policy_without_the_table_reviews_nothing(tmp_path: Any) -> None:
    write_policy(tmp_path, "plain")
    plain = parse_policy((tmp_path / "plain.toml").read_bytes(), origin="a test").policy
    assert await _causes(plain, _SIGNED, doubted=True) == ()
