"""``facegate review``: people review the checks that a policy sends to them, over gRPC."""

import json
from collections.abc import Sequence
from datetime import UTC
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from facegate.v1 import result_pb2, review_pb2, review_service_pb2
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.connection import (
    SERVICE,
    ApiKeyOption,
    CaOption,
    CertOption,
    Connection,
    KeyOption,
    call_reviews,
)
from cli.errors import PENDING, OutputUnusable, errors_reported
from cli.groups import SharingGroup
from cli.options import JsonOption
from cli.verdict import enum_word
from facegate_client import Reviews
from server.domain.reviews import ReviewCause, ReviewOutcome, ReviewReason, ReviewState

_WIDTH = 200
_CheckArgument = Annotated[str, typer.Argument(metavar="CHECK", help="Identifier of the check.")]


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
    state: Annotated[_Listed, typer.Option(help="State. PENDING are those not over.")] = _Listed.PENDING,
    cause: Annotated[ReviewCause | None, typer.Option(help="What sent the check to review.")] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Those of sandbox checks instead.")] = False,
    last: Annotated[int, typer.Option("--most", min=1, max=100_000, help="Number of reviews.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List reviews, the oldest first.

    Examples:
      facegate review list

      facegate review list --state DECIDED --cause SAMPLE

      facegate review list --service api.example:8444 --ca ca.pem --api-key-file key.txt

    The exit status is 0, or 2 for an error.
    """
    request = review_service_pb2.ListReviewsRequest(sandbox=sandbox, page_size=min(last, 200))
    if state is not _Listed.PENDING:
        request.state = review_pb2.ReviewState.Value(f"REVIEW_STATE_{state}")
    if cause is not None:
        request.cause = review_pb2.ReviewCause.Value(f"REVIEW_CAUSE_{cause}")
    connection: Connection = context.obj

    async def work(reviews: Reviews) -> list[review_service_pb2.Review]:
        return [review async for review in reviews.all_reviews(request, most=last)]

    found = call_reviews(connection, work)
    if as_json:
        for review in found:
            typer.echo(json.dumps(json_format.MessageToDict(review, preserving_proto_field_name=True)))
        return
    if not found:
        Console(stderr=True).print("No review matches.")
        return
    console = Console()
    Console(width=None if console.is_terminal else _WIDTH).print(_reviews_table(found))


def show_command(
    context: typer.Context,
    check_id: _CheckArgument,
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
    connection: Connection = context.obj
    response = call_reviews(connection, lambda reviews: reviews.get_review(check_id))
    _print_review(response.review, as_json=as_json)
    if save is not None:
        with errors_reported():
            if not response.review_jws:
                raise OutputUnusable("nobody has decided the review yet, so that nothing is signed")
            try:
                save.write_text(response.review_jws + "\n")
            except OSError as error:
                raise OutputUnusable(f"{save} cannot be written: {error.strerror or error}") from error


def claim_command(
    context: typer.Context,
    check_id: _CheckArgument,
    *,
    release: Annotated[bool, typer.Option("--release", help="Give the claimed review back.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Claim a review, so that nobody else decides it meanwhile; again, to keep it; or give it back.

    For example:

        facegate review claim 8366b788-9c1b-42af-b63f-d9078de4adac

        facegate review claim CHECK --release

        facegate review claim CHECK --service api.example:8444 --ca ca.pem --api-key-file key.txt

    The exit status is 0, or 2 for an error.
    """
    connection: Connection = context.obj

    async def work(reviews: Reviews) -> review_service_pb2.Review:
        return await (reviews.release_review(check_id) if release else reviews.claim_review(check_id))

    _print_review(call_reviews(connection, work), as_json=as_json)


def decide_command(
    context: typer.Context,
    check_id: _CheckArgument,
    *,
    outcome: Annotated[ReviewOutcome, typer.Option(help="What you decide.")],
    reason: Annotated[
        ReviewReason, typer.Option(help="Why; a reason that contradicts the outcome is refused.")
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
    connection: Connection = context.obj
    response = call_reviews(
        connection,
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
    table = Table(box=None, pad_edge=False)
    for name in ("Check", "Since (UTC)", "Until (UTC)", "State", "Outcome", "Status", "Causes", "Claimed by"):
        table.add_column(name, overflow="fold")
    for review in reviews:
        table.add_row(
            review.check_id,
            _time(review.create_time),
            _time(review.expire_time),
            enum_word(review_pb2.ReviewState.Name, review.state, "REVIEW_STATE_"),
            _outcome(review.outcome),
            enum_word(result_pb2.CheckStatus.Name, review.status, "CHECK_STATUS_"),
            _causes(review),
            Text(review.claimed_by),
        )
    return table


def _print_review(review: review_service_pb2.Review, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(json_format.MessageToDict(review, preserving_proto_field_name=True), indent=2))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    sandbox = " (sandbox)" if review.sandbox else ""
    status = enum_word(result_pb2.CheckStatus.Name, review.status, "CHECK_STATUS_")
    rows = [
        ("check", f"{review.check_id}{sandbox}"),
        ("status", f"{status}, by the policy {review.policy}; a review does not change it"),
        ("state", enum_word(review_pb2.ReviewState.Name, review.state, "REVIEW_STATE_")),
        ("outcome", _outcome(review.outcome) or "-"),
        ("sent there by", _causes(review)),
        ("begun", _time(review.create_time)),
        ("ends undecided", _time(review.expire_time)),
        ("people", "two must decide" if review.four_eyes else "one decides"),
    ]
    if review.claimed_by:
        rows.append(("claimed", f"by {review.claimed_by} until {_time(review.claim_expire_time)}"))
    for one in review.decisions:
        reason = enum_word(review_pb2.ReviewReason.Name, one.reason, "REVIEW_REASON_")
        words = ": ".join(word for word in (reason if one.reason else "", one.comment) if word)
        decided = f"{_outcome(one.outcome) or 'not shown yet'} by {one.reviewer}, {_time(one.decide_time)}"
        rows.append(("decision", f"{decided}; {words}" if words else decided))
    for label, words in rows:
        table.add_row(label, Text(words))
    Console().print(table)


def _causes(review: review_service_pb2.Review) -> str:
    return ", ".join(
        enum_word(review_pb2.ReviewCause.Name, cause, "REVIEW_CAUSE_") for cause in review.causes
    )


def _outcome(outcome: review_pb2.ReviewOutcome.ValueType) -> str:
    return enum_word(review_pb2.ReviewOutcome.Name, outcome, "REVIEW_OUTCOME_") if outcome else ""


def _time(stamp: Timestamp) -> str:
    return stamp.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%S")


app = typer.Typer(cls=SharingGroup, help="Review checks that a policy sends to people.", no_args_is_help=True)
app.command("list")(list_command)
app.command("show")(show_command)
app.command("claim")(claim_command)
app.command("decide")(decide_command)


@app.callback()
def connect(
    context: typer.Context,
    *,
    service: Annotated[str, typer.Option(help="host:port of the service listener.")] = SERVICE,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Review checks that a policy sends to people.

    The options of the connection may also stand behind the command.
    """
    context.obj = Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)
