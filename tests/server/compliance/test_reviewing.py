"""ReviewService over gRPC, on a real server: reviewers, their orchestrator, and those who may not."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from facegate.v1 import evidence_service_pb2, result_pb2, review_pb2
from facegate.v1 import review_service_pb2 as service_pb2
from facegate.v1 import verification_service_pb2 as verification_pb2
from sqlalchemy import text

from facegate_client import (
    ApiKey,
    Orchestrator,
    SandboxResultError,
    ServerNotTrustedError,
    verify_archive,
    verify_result_jws,
    verify_review_jws,
)
from tests.server.compliance.office import Office, archive_of, audit_entries, open_office, refused_call
from tests.server.live import until

_ALLOW, _DENY = review_pb2.REVIEW_OUTCOME_ALLOW, review_pb2.REVIEW_OUTCOME_DENY
_ESCALATE = review_pb2.REVIEW_OUTCOME_ESCALATE
_SAME, _ATTACK = review_pb2.REVIEW_REASON_SAME_PERSON, review_pb2.REVIEW_REASON_ATTACK_SUSPECTED
_OTHER = review_pb2.REVIEW_REASON_OTHER


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    async with open_office(tmp_path_factory.mktemp("reviewing")) as office:
        yield office


def _orchestrator(office: Office, by: str = "backend") -> Orchestrator:
    return Orchestrator(
        channel=office.live.service_channel,
        api_key=ApiKey(office.keys[by]),
        keys=office.jwks,
        tenant="bank",
    )


async def _pending(office: Office, by: str = "rita") -> list[str]:
    found = office.reviews_of(by).all_reviews(service_pb2.ListReviewsRequest(), most=100)
    return [review.check_id async for review in found]


async def test_a_reviewer_decides_and_the_orchestrator_gets_it_signed(office: Office) -> None:
    check_id = await office.check("r-1", scanned=True, policy="sampled")
    rita, backend = office.reviews_of("rita"), _orchestrator(office)
    finished = await backend.finish_check(check_id)
    assert finished.review.state == review_pb2.REVIEW_STATE_OPEN
    assert not finished.review.review_jws
    assert check_id in await _pending(office)

    claimed = await rita.claim_review(check_id)
    assert (claimed.state, claimed.claimed_by) == (review_pb2.REVIEW_STATE_CLAIMED, "rita")
    assert claimed.causes == [review_pb2.REVIEW_CAUSE_SAMPLE]
    evidence = await office.of("rita").get_evidence(check_id)
    await office.of("rita").get_evidence_image(check_id, evidence.images[0].sha256, purpose="review")
    decided = await rita.decide_review(check_id, outcome=_DENY, reason=_ATTACK, comment="a rim of a mask: ø")
    assert (decided.review.state, decided.review.outcome) == (review_pb2.REVIEW_STATE_DECIDED, _DENY)

    again = await backend.finish_check(check_id)
    # The machine's verdict is what it was.
    assert again.result == finished.result
    assert (again.review.state, again.review.outcome) == (review_pb2.REVIEW_STATE_DECIDED, _DENY)
    review = verify_review_jws(
        again.review.review_jws, office.jwks, result_jws=again.result_jws, issuer="facegate", tenant="bank"
    )
    assert (review.check_id, review.outcome) == (check_id, "DENY")
    assert review.content["decisions"][0]["comment"] == "a rim of a mask: ø"
    assert review.content["decisions"][0]["reviewer"] == "rita"
    other = await backend.finish_check(await office.check("r-2"))
    with pytest.raises(ServerNotTrustedError, match="another result"):
        verify_review_jws(again.review.review_jws, office.jwks, result_jws=other.result_jws)
    with pytest.raises(ServerNotTrustedError, match="type"):
        verify_result_jws(again.review.review_jws, office.jwks)
    assert not other.HasField("review")
    assert (await rita.get_review(check_id)).review_jws == again.review.review_jws
    assert check_id not in await _pending(office)
    actions = [action for action, _, _ in await audit_entries(office, check_id) if "review" in action]
    assert actions == ["review.opened", "review.claimed", "review.decided", "review.read"]


async def test_the_archive_has_the_review(office: Office) -> None:
    check_id = await office.check("r-archive", scanned=True, policy="sampled")
    undecided = verify_archive(await archive_of(office, check_id), office.jwks)
    assert "review.jws" not in undecided.files
    assert undecided.manifest["review"] == "OPEN"
    assert b"Review by people" in undecided.files["report.html"]
    rita = office.reviews_of("rita")
    await rita.claim_review(check_id)
    decided = await rita.decide_review(check_id, outcome=_ALLOW, reason=_SAME)
    content = await archive_of(office, check_id)
    archive = verify_archive(content, office.jwks, tenant="bank")
    assert archive.files["review.jws"].decode() == decided.review_jws
    assert b"review.jws" in archive.files["report.html"]
    with zipfile.ZipFile(io.BytesIO(await archive_of(office, await office.check("r-none")))) as plain:
        assert "review" not in json.loads(plain.read("manifest.json"))


async def test_two_people_decide_and_the_second_does_not_see_the_first(office: Office) -> None:
    check_id = await office.check("r-pair", scanned=True, policy="in-pairs")
    rita, rolf = office.reviews_of("rita"), office.reviews_of("rolf")
    await rita.claim_review(check_id)
    first = await rita.decide_review(check_id, outcome=_ALLOW, reason=_SAME)
    assert first.review.state == review_pb2.REVIEW_STATE_AWAITING_SECOND
    assert not first.review_jws
    assert first.review.decisions[0].outcome == _ALLOW
    conflict = await refused_call(rita.claim_review(check_id))
    assert (conflict.refusal.code, conflict.refusal.reason) == ("PERMISSION_DENIED", "REVIEW_CONFLICT")
    seen = (await rolf.claim_review(check_id)).decisions[0]
    assert (seen.reviewer, seen.outcome, seen.reason, seen.comment) == ("rita", 0, 0, "")
    listed = service_pb2.ListReviewsRequest(state=review_pb2.REVIEW_STATE_CLAIMED)
    assert {one.check_id: one for one in (await rolf.list_reviews(listed)).reviews}[check_id].decisions == [
        seen
    ]
    second = await rolf.decide_review(check_id, outcome=_DENY, reason=_ATTACK)
    assert (second.review.outcome, len(second.review.decisions)) == (_ESCALATE, 2)
    assert second.review.decisions[0].outcome == _ALLOW
    assert verify_review_jws(second.review_jws, office.jwks).outcome == "ESCALATE"


async def test_nobody_decides_without_a_claim_after_its_lapse_or_twice(office: Office) -> None:
    check_id = await office.check("r-lapse", scanned=True, policy="sampled")
    rita, rolf = office.reviews_of("rita"), office.reviews_of("rolf")

    async def refused(by: str) -> str:
        call = office.reviews_of(by).decide_review(check_id, outcome=_ALLOW, reason=_SAME)
        return (await refused_call(call)).refusal.reason

    assert await refused("rita") == "REVIEW_NOT_CLAIMED"
    await rita.claim_review(check_id)
    assert await refused("rolf") == "REVIEW_NOT_CLAIMED"
    assert (await refused_call(rolf.release_review(check_id))).refusal.reason == "REVIEW_NOT_CLAIMED"
    assert (await rita.release_review(check_id)).state == review_pb2.REVIEW_STATE_OPEN
    await rita.claim_review(check_id)
    with office.live.clock.later(minutes=16):
        assert await refused("rita") == "REVIEW_NOT_CLAIMED"
        assert (await rolf.claim_review(check_id)).claimed_by == "rolf"
        assert (await refused_call(rita.claim_review(check_id))).refusal.reason == "REVIEW_CLAIMED"
        await rolf.decide_review(check_id, outcome=_ALLOW, reason=_SAME)
        # The same call again, as one who recorded it would make it.
        assert await refused("rolf") == "REVIEW_OVER"
        over = await refused_call(rita.claim_review(check_id))
        assert over.refusal.metadata == {"state": "DECIDED"}


async def test_a_review_that_nobody_decides_expires_and_says_so(office: Office) -> None:
    check_id = await office.check("r-expired", scanned=True, policy="sampled")
    await office.reviews_of("rita").claim_review(check_id)

    async def logged() -> bool:
        return "review.expired" in [action for action, _, _ in await audit_entries(office, check_id)]

    with office.live.clock.later(hours=73):
        await until(logged)
        progress = await _orchestrator(office).get_check(check_id)
        assert progress.review.state == review_pb2.REVIEW_STATE_EXPIRED
        over = await refused_call(office.reviews_of("rita").claim_review(check_id))
        assert (over.refusal.reason, over.refusal.metadata["state"]) == ("REVIEW_OVER", "EXPIRED")
        request = service_pb2.ListReviewsRequest(state=review_pb2.REVIEW_STATE_EXPIRED)
        found = office.reviews_of("rita").all_reviews(request, most=100)
        assert check_id in [review.check_id async for review in found]


async def test_who_may_not_review(office: Office) -> None:
    check_id = await office.check("r-access", scanned=True, policy="sampled")
    # Another tenant's review does not exist for its caller, whatever the call.
    stranger = office.reviews_of("stranger")
    for call in (
        stranger.get_review(check_id),
        stranger.claim_review(check_id),
        stranger.release_review(check_id),
        stranger.decide_review(check_id, outcome=_ALLOW, reason=_SAME),
        office.reviews_of("rita").claim_review(str(uuid4())),
        office.reviews_of("rita").claim_review(await office.check("r-without-review")),
    ):
        assert (await refused_call(call)).refusal.reason == "REVIEW_NOT_FOUND"
    assert check_id not in await _pending(office, "stranger")
    # Nobody reviews what they made, also with both roles; what others made they do.
    own = await office.check("r-own", scanned=True, policy="sampled", by="maker")
    maker = office.reviews_of("maker")
    assert (await refused_call(maker.claim_review(own))).refusal.reason == "REVIEW_CONFLICT"
    assert (await maker.claim_review(check_id)).claimed_by == "maker"


@pytest.mark.parametrize(
    ("outcome", "reason", "comment", "field"),
    [
        (0, _SAME, "", "outcome"),
        (_ALLOW, 0, "", "reason"),
        (_ALLOW, _OTHER, " ", "comment"),
        (_ALLOW, _ATTACK, "", "reason"),
        (_ALLOW, _SAME, "x" * 1025, "comment"),
        (_ALLOW, _SAME, "a\nb", "comment"),
    ],
)
async def test_a_decision_states_what_and_why(
    office: Office, outcome: int, reason: int, comment: str, field: str
) -> None:
    call = office.reviews_of("rita").decide_review(
        str(uuid4()),
        outcome=outcome,  # type: ignore[arg-type]
        reason=reason,  # type: ignore[arg-type]
        comment=comment,
    )
    refusal = (await refused_call(call)).refusal
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", field)


async def test_the_third_failure_of_a_person_is_reviewed_and_others_are_not_counted(office: Office) -> None:
    async def failed(subject: str) -> str:
        check_id = await office.check(subject, scanned=True, policy="thrice", person="red-shirt")
        evidence = await office.of("reader").get_evidence(check_id)
        assert result_pb2.FAILURE_REASON_NOT_SAME_PERSON in evidence.result.reasons
        return check_id

    first, _, second = [await failed(subject) for subject in ("r-thrice", "r-else", "r-thrice")]
    await office.check("r-thrice", policy="thrice")
    third = await failed("r-thrice")
    pending = await _pending(office)
    assert third in pending
    assert not {first, second} & set(pending)
    review = (await office.reviews_of("rita").get_review(third)).review
    assert review.causes == [review_pb2.REVIEW_CAUSE_REPEATED_FAILURES]
    assert review.status == result_pb2.CHECK_STATUS_FAILURE


async def test_sandbox_checks_are_reviewed_like_real_ones_but_apart(office: Office) -> None:
    check_id = await office.check("r-sandbox", scanned=True, policy="sampled", by="tester")
    rita = office.reviews_of("rita")
    assert check_id not in await _pending(office)
    apart = [one async for one in rita.all_reviews(service_pb2.ListReviewsRequest(sandbox=True), most=100)]
    assert [one.check_id for one in apart] == [check_id]
    assert apart[0].sandbox
    await rita.claim_review(check_id)
    signed = (await rita.decide_review(check_id, outcome=_ALLOW, reason=_SAME)).review_jws
    with pytest.raises(SandboxResultError):
        verify_review_jws(signed, office.jwks)
    assert verify_review_jws(signed, office.jwks, accept_sandbox=True).content["sandbox"] is True


async def test_a_sandbox_reviewer_reaches_sandbox_checks_alone(office: Office) -> None:
    real = await office.check("r-real", scanned=True, policy="sampled")
    test = await office.check("r-rehearsed", scanned=True, policy="sampled", by="tester")
    sandy, evidence = office.reviews_of("sandy"), office.of("sandy")
    for request in (service_pb2.ListReviewsRequest(), service_pb2.ListReviewsRequest(sandbox=True)):
        listed = [one async for one in sandy.all_reviews(request, most=100)]
        assert test in {one.check_id for one in listed}
        assert all(one.sandbox for one in listed)
    for sandbox in (None, False, True):
        chosen = evidence_service_pb2.ListChecksRequest(sandbox=sandbox, page_size=100)
        found = {one.check_id async for one in evidence.all_checks(chosen, most=100)}
        assert test in found
        assert real not in found
    for call in (sandy.get_review(real), sandy.claim_review(real)):
        assert (await refused_call(call)).refusal.reason == "REVIEW_NOT_FOUND"
    assert (await refused_call(evidence.get_evidence(real))).refusal.reason == "CHECK_NOT_FOUND"
    images = (await evidence.get_evidence(test)).images
    assert images
    await sandy.claim_review(test)
    signed = (await sandy.decide_review(test, outcome=_ALLOW, reason=_SAME)).review_jws
    assert verify_review_jws(signed, office.jwks, accept_sandbox=True).content["sandbox"] is True


async def test_a_review_of_another_result_is_not_signed(office: Office) -> None:
    check_id = await office.check("r-altered", scanned=True, policy="sampled")
    rita = office.reviews_of("rita")
    await rita.claim_review(check_id)
    async with office.live.database() as database:
        statement = text("UPDATE reviews SET result_sha256 = :other WHERE check_id = :check_id")
        values = {"other": bytes(32), "check_id": check_id.replace("-", "")}
        changed = await database.write(lambda connection: connection.execute(statement, values).rowcount)
    assert changed == 1
    refusal = (await refused_call(rita.decide_review(check_id, outcome=_ALLOW, reason=_SAME))).refusal
    assert refusal.reason == "EVIDENCE_UNREADABLE"
    assert (await rita.get_review(check_id)).review.state == review_pb2.REVIEW_STATE_CLAIMED


async def test_a_watch_goes_on_until_the_review_is_over_if_asked(office: Office) -> None:
    check_id = await office.check("r-watched", scanned=True, policy="sampled")
    backend, rita = _orchestrator(office), office.reviews_of("rita")
    short = [progress async for progress in backend.watch_check(check_id)]
    assert [one.review.state for one in short] == [review_pb2.REVIEW_STATE_OPEN]

    async def watched(by: str) -> list[verification_pb2.CheckProgress]:
        watch = _orchestrator(office, by).watch_check(check_id, until_reviewed=True, timeout_s=60)
        return [progress async for progress in watch]

    watches = [asyncio.ensure_future(watched(by)) for by in ("backend", "operator")]
    await rita.claim_review(check_id)
    await rita.decide_review(check_id, outcome=_ALLOW, reason=_SAME)
    of_backend, of_operator = await asyncio.gather(*watches)
    assert of_backend[-1].review.outcome == _ALLOW
    assert verify_review_jws(of_backend[-1].review.review_jws, office.jwks).outcome == "ALLOW"
    # An operator follows the progress of checks without any result.
    assert of_operator[-1].review.state == review_pb2.REVIEW_STATE_DECIDED
    assert (of_operator[-1].review.outcome, of_operator[-1].review.review_jws) == (0, "")
