"""``facegate review``: people review the checks that a policy sends to them, over gRPC."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from facegate.v1 import review_pb2, review_service_pb2
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.connection import call_server, remote_group
from cli.errors import PENDING, CommandError, errors_reported
from cli.files import FOR_ALL, write_file
from cli.options import CheckArgument, JsonOption
from cli.shown import facts_table, list_table
from cli.verdict import enum_word, enum_words, message_json, print_messages, time_words
from facegate_client import Reviews
from server.domain.reviews import ReviewOutcome, ReviewReason, ReviewState


class _Listed(StrEnum):
    """Which reviews are listed, by their state."""

    PENDING = "PENDING"
    OPEN = ReviewState.OPEN
    CLAIMED = ReviewState.CLAIMED
    AWAITING_SECOND = ReviewState.AWAITING_SECOND
    DECIDED = ReviewState.DECIDED
    EXPIRED = ReviewState.EXPIRED


def list_command(
    context: typer.Context,
    *,
    state: Annotated[
        _Listed, typer.Option(case_sensitive=False, help="State. PENDING are those not over.")
    ] = _Listed.PENDING,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Those of sandbox checks instead.")] = False,
    last: Annotated[int, typer.Option(min=1, max=100_000, help="Number of reviews.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List reviews, the oldest first.

    Examples:
      facegate review list

      facegate review list --state DECIDED

      facegate review list --service api.example:8444 --ca ca.pem --api-key-file key.txt

    The exit status is 0, or 2 for an error.
    """
    request = review_service_pb2.ListReviewsRequest(sandbox=sandbox, page_size=min(last, 200))
    if state is not _Listed.PENDING:
        request.state = review_pb2.ReviewState.Value(f"REVIEW_STATE_{state}")

    async def work(reviews: Reviews) -> list[review_service_pb2.Review]:
        return [review async for review in reviews.all_reviews(request, most=last)]

    found = call_server(context, Reviews, work)
    nothing = "No review matches." + ("" if sandbox else " --sandbox lists those of sandbox checks.")
    print_messages(found, as_json=as_json, table=_reviews_table, nothing=nothing)


def show_command(
    context: typer.Context,
    check_id: CheckArgument,
    *,
    save: Annotated[
        Path | None,
        typer.Option(help="File for the signed review. `facegate result verify` verifies it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the review of a check. `facegate checks show` shows the check.

    Examples:
      facegate review show 8366b788-9c1b-42af-b63f-d9078de4adac

      facegate review show CHECK --save review.jws --service api.example:8444
      --ca ca.pem --api-key-file key.txt

    The exit status is 0, or 2 for an error.
    """
    response = call_server(context, Reviews, lambda reviews: reviews.get_review(check_id))
    _print_review(response.review, as_json=as_json)
    if save is not None:
        with errors_reported():
            if not response.review_jws:
                raise CommandError("nobody has decided the review yet, so that nothing is signed")
            write_file(save, f"{response.review_jws}\n".encode(), mode=FOR_ALL, force=True)


def claim_command(
    context: typer.Context,
    check_id: CheckArgument,
    *,
    release: Annotated[bool, typer.Option("--release", help="Give the claimed review back.")] = False,
) -> None:
    """Claim a review, so that nobody else decides it meanwhile; again, to keep it; or give it back.

    For example:

        facegate review claim 8366b788-9c1b-42af-b63f-d9078de4adac

        facegate review claim CHECK --release

        facegate review claim CHECK --service api.example:8444 --ca ca.pem --api-key-file key.txt

    The exit status is 0, or 2 for an error.
    """

    async def work(reviews: Reviews) -> review_service_pb2.Review:
        return await (reviews.release_review(check_id) if release else reviews.claim_review(check_id))

    _print_review(call_server(context, Reviews, work), as_json=False)


def decide_command(
    context: typer.Context,
    check_id: CheckArgument,
    *,
    outcome: Annotated[ReviewOutcome, typer.Option(case_sensitive=False, help="What you decide.")],
    reason: Annotated[
        ReviewReason,
        typer.Option(case_sensitive=False, help="Why; a reason that contradicts the outcome is refused."),
    ],
    comment: Annotated[
        str,
        typer.Option(
            show_default=False, help="At most 1024 bytes, without personal data. Required for OTHER."
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Decide a review that you have claimed. The result of the check does not change.

    For example:

        facegate review decide 8366b788-9c1b-42af-b63f-d9078de4adac --outcome ALLOW --reason SAME_PERSON

        facegate review decide CHECK --outcome ESCALATE --reason OTHER --comment "a twin is known"

        facegate review decide CHECK --outcome DENY --reason ATTACK_SUSPECTED --service api.example:8444
        --ca ca.pem --api-key-file key.txt

    The exit status is 0; 3 while a second person must decide; 2 for an error.
    """
    response = call_server(
        context,
        Reviews,
        lambda reviews: reviews.decide_review(
            check_id,
            outcome=review_pb2.ReviewOutcome.Value(f"REVIEW_OUTCOME_{outcome}"),
            reason=review_pb2.ReviewReason.Value(f"REVIEW_REASON_{reason}"),
            comment=comment,
        ),
    )
    _print_review(response.review, as_json=as_json)
    if not response.review_jws:
        Console(stderr=True).print("A second person must decide before the review is over.")
        raise typer.Exit(PENDING)


def _reviews_table(reviews: Sequence[review_service_pb2.Review]) -> Table:
    table = list_table(
        "Check", "Since (UTC)", "Until (UTC)", "State", "Outcome", "Status", "Causes", "Claimed by"
    )
    for review in reviews:
        table.add_row(
            review.check_id,
            time_words(review.create_time),
            time_words(review.expire_time),
            enum_word(review, "state"),
            _outcome(review),
            enum_word(review, "status"),
            ", ".join(enum_words(review, "causes")),
            Text(review.claimed_by),
        )
    return table


def _print_review(review: review_service_pb2.Review, *, as_json: bool) -> None:
    if as_json:
        typer.echo(message_json(review))
        return
    sandbox = " (sandbox)" if review.sandbox else ""
    status = enum_word(review, "status")
    rows = [
        ("check", f"{review.check_id}{sandbox}"),
        ("status", f"{status}, by the policy {review.policy}; a review does not change it"),
        ("state", enum_word(review, "state")),
        ("outcome", _outcome(review) or "-"),
        ("sent there by", ", ".join(enum_words(review, "causes"))),
        ("begun", time_words(review.create_time)),
        ("ends undecided", time_words(review.expire_time)),
        ("people", "two must decide" if review.four_eyes else "one decides"),
    ]
    if review.claimed_by:
        rows.append(("claimed", f"by {review.claimed_by} until {time_words(review.claim_expire_time)}"))
    for one in review.decisions:
        reason = enum_word(one, "reason")
        words = ": ".join(word for word in (reason if one.reason else "", one.comment) if word)
        decided = f"{_outcome(one) or 'not shown yet'} by {one.reviewer}, {time_words(one.decide_time)}"
        rows.append(("decision", f"{decided}; {words}" if words else decided))
    Console().print(facts_table(rows, box=None, pad_edge=False))


def _outcome(made: review_service_pb2.Review | review_service_pb2.ReviewDecision) -> str:
    return enum_word(made, "outcome") if made.outcome else ""


app = remote_group("Review checks that a policy sends to people.")
app.command("list")(list_command)
app.command("show")(show_command)
app.command("claim")(claim_command)
app.command("decide")(decide_command)
