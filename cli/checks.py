"""``facegate checks``: finds, reads, keeps and erases the evidence of decided checks, over gRPC."""

import json
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from facegate.v1 import evidence_service_pb2, result_pb2
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from cli.connection import PurposeOption, call_server, remote_group
from cli.errors import PENDING, CommandError, errors_reported
from cli.options import TIME_FORMATS, CheckArgument, JsonOption, VerboseOption, in_utc
from cli.shown import counted, facts_table, list_table, say
from cli.shown import printable as shown
from cli.verdict import enum_word, enum_words, print_messages, time_words, verdict_view
from facegate_client import CallRefusedError, Compliance, ExportedImage
from formats.private_files import appearing
from server.domain.terms import CheckStatus, FailureReason

_STYLES = {
    result_pb2.CHECK_STATUS_SUCCESS: "green",
    result_pb2.CHECK_STATUS_FAILURE: "red",
    result_pb2.CHECK_STATUS_NOT_DECIDED: "yellow",
}


def checks_table(checks: Sequence[evidence_service_pb2.CheckSummary]) -> Table:
    """Return a table of decided checks."""
    table = list_table(
        "Check", "Decided (UTC)", "Status", "Reasons", "Attack", "Signs", "Policy", "Until", "Hold"
    )
    for check in checks:
        status = enum_word(check, "status")
        attack = enum_word(check, "attack_type")
        table.add_row(
            check.check_id,
            time_words(check.decide_time),
            Text(status + (" (sandbox)" if check.sandbox else ""), _STYLES.get(check.status, "")),
            ", ".join(enum_words(check, "reasons")),
            attack if check.attack_type else "",
            ", ".join(check.device_signs),
            f"{check.policy} {check.policy_version}",
            check.retain_until.ToDatetime(UTC).strftime("%Y-%m-%d"),
            Text("yes", "bold yellow") if check.on_hold else "",
        )
    return table


def evidence_tables(evidence: evidence_service_pb2.GetEvidenceResponse) -> Iterable[Table]:
    """Return the facts of a record, its images and its holds as tables."""
    times, requested = evidence.times, evidence.result.requested_outcome
    kept = enum_word(evidence.trusted_image, "kept")
    plans = {each.attempt: f" ({enum_word(each, 'plan')})" for each in evidence.result.attempts if each.plan}
    rows = [
        ("subject", evidence.result.subject_reference or "-"),
        ("consent", evidence.result.consent_reference or "-"),
        *([("outcome", "requested by the sandbox caller; nothing was judged")] if requested else []),
        ("trusted image", f"{kept.lower()} {evidence.trusted_image.sha256.hex()}"),
        *_chain_rows(evidence.result),
        ("accepted", time_words(times.create_time)),
        ("decided", time_words(times.decide_time)),
        ("delivered", time_words(times.finish_time) if times.HasField("finish_time") else "-"),
        ("retained until", time_words(times.retain_until)),
        *_images_rows(evidence),
        ("clock", times.source),
        (
            "frames",
            ", ".join(
                f"attempt {one.attempt}{plans.get(one.attempt, '')}: {len(one.sha256)}"
                f"{'' if one.complete else ' (incomplete)'}"
                for one in evidence.frames
            )
            or "none",
        ),
    ]
    yield facts_table(rows, title="Record", box=None, pad_edge=False)
    images = list_table("Purpose", "Attempt", "Frame", "Type", "SHA-256", title="Images")
    for image in evidence.images:
        images.add_row(
            enum_word(image, "purpose"),
            str(image.attempt),
            str(image.frame_index),
            image.media_type,
            image.sha256.hex(),
        )
    yield images
    if evidence.holds:
        holds = list_table("Reference", "Placed (UTC)", "By", "Reason", title="Holds")
        for hold in evidence.holds:
            holds.add_row(
                Text(hold.reference), time_words(hold.place_time), hold.placed_by, Text(hold.reason)
            )
        yield holds


def _chain_rows(result: result_pb2.CheckResult) -> Iterable[tuple[str, str]]:
    if result.HasField("trusted_check"):
        source = result.trusted_check
        yield "trusted check", f"{source.check_id}, decided {time_words(source.decide_time)}"
        yield "its trusted image", source.trusted_image_sha256.hex() or "not kept"
    if result.HasField("enrolled_until"):
        yield "enrolled until", time_words(result.enrolled_until)


def _images_rows(evidence: evidence_service_pb2.GetEvidenceResponse) -> Iterable[tuple[str, str]]:
    times = evidence.times
    if not times.HasField("images_erase_time"):
        if times.HasField("images_retain_until"):
            yield "images until", time_words(times.images_retain_until)
    elif not _kept_images(evidence):
        yield "images erased", time_words(times.images_erase_time)
    else:
        yield "other images erased", time_words(times.images_erase_time)
        until = time_words(evidence.result.enrolled_until)
        yield "enrolled frame", f"kept as the trusted image of later checks until {until}, by a hold longer"


def _kept_images(
    evidence: evidence_service_pb2.GetEvidenceResponse,
) -> list[evidence_service_pb2.EvidenceImageFacts]:
    return [image for image in evidence.images if not image.erased]


_ANY = "UNSPECIFIED"


class SandboxChoice(StrEnum):
    """Which checks are listed, by the kind of their caller."""

    BOTH = "both"
    ONLY = "only"
    NONE = "none"


_Time = datetime | None


def list_command(
    context: typer.Context,
    *,
    since: Annotated[
        _Time,
        typer.Option(
            formats=TIME_FORMATS,
            metavar="TIME",
            help="Decided at this time or later. UTC unless it has an offset, such as 2027-03-01.",
        ),
    ] = None,
    before: Annotated[
        _Time, typer.Option(formats=TIME_FORMATS, metavar="TIME", help="Decided before this time.")
    ] = None,
    subject: Annotated[str, typer.Option(show_default=False, help="Exact subject reference.")] = "",
    consent: Annotated[str, typer.Option(show_default=False, help="Exact consent reference.")] = "",
    status: Annotated[CheckStatus | None, typer.Option(case_sensitive=False, help="Status.")] = None,
    reason: Annotated[
        FailureReason | None,
        typer.Option(case_sensitive=False, metavar="REASON", help="One of the reasons, such as SPOOF."),
    ] = None,
    policy: Annotated[str, typer.Option(show_default=False, help="Name of the policy.")] = "",
    on_hold: Annotated[bool, typer.Option("--on-hold", help="Only checks on hold.")] = False,
    sandbox: Annotated[SandboxChoice, typer.Option(help="Checks of sandbox callers.")] = SandboxChoice.BOTH,
    last: Annotated[int, typer.Option(min=1, max=100_000, help="Number of checks.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List decided checks, newest first.

    Examples:
      facegate checks list --since 2027-03-01 --before 2027-04-01 --policy high --reason SPOOF

      facegate checks list --subject customer-4711

      facegate checks list --on-hold --service api.example:8444
      --ca ca.pem --api-key-file key.txt

    The exit status is 0, or 2 for an error.
    """
    request = evidence_service_pb2.ListChecksRequest(
        subject_reference=subject,
        consent_reference=consent,
        status=result_pb2.CheckStatus.Value(f"CHECK_STATUS_{status or _ANY}"),
        reason=result_pb2.FailureReason.Value(f"FAILURE_REASON_{reason or _ANY}"),
        policy=policy,
        on_hold=on_hold,
        sandbox=None if sandbox is SandboxChoice.BOTH else sandbox is SandboxChoice.ONLY,
        page_size=min(last, 200),
    )
    for name, moment in (("decided_since", since), ("decided_before", before)):
        if moment is not None:
            getattr(request, name).FromDatetime(in_utc(moment))

    async def work(compliance: Compliance) -> list[evidence_service_pb2.CheckSummary]:
        return [check async for check in compliance.all_checks(request, most=last)]

    found = call_server(context, Compliance, work)
    nothing = "No decided check matches. Erased checks, and those without a record, are not listed."
    print_messages(found, as_json=as_json, table=checks_table, nothing=nothing)
    if len(found) == last and not as_json:
        say(f"These are the newest {last}; --last shows more.", err=True)


_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/jp2": "jp2", "image/j2c": "j2c"}


def show_command(
    context: typer.Context,
    check_id: CheckArgument,
    *,
    images: Annotated[Path | None, typer.Option(help="Folder for the images. Needs --purpose.")] = None,
    purpose: Annotated[
        str, typer.Option(show_default=False, help="Why, for the audit log. Required for images.")
    ] = "",
    save: Annotated[
        Path | None,
        typer.Option(help="File for the signed record. `facegate result verify` verifies it."),
    ] = None,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the evidence record of a check.

    Examples:
      facegate checks show 8366b788-9c1b-42af-b63f-d9078de4adac

      facegate checks show 8366b788-9c1b-42af-b63f-d9078de4adac --images out/ --purpose c-17

      facegate checks show CHECK --service api.example:8444
      --ca ca.pem --api-key-file key.txt

    The exit status is 0; 1 if lists state the check otherwise than its sealed record; 2 for an error.
    """
    if images is not None and not purpose.strip():
        raise typer.BadParameter("state why the images are read", param_hint="--purpose")
    messages = Console(stderr=True)

    async def work(
        compliance: Compliance,
    ) -> tuple[evidence_service_pb2.GetEvidenceResponse, list[ExportedImage]]:
        evidence = await compliance.get_evidence(check_id, purpose=purpose)
        fetched: list[ExportedImage] = []
        kept = _kept_images(evidence)
        if images is not None and evidence.times.HasField("images_erase_time"):
            erased = "The other images" if kept else "The images"
            messages.print(f"{erased} are erased, because their retention has ended; the record is kept.")
        if images is not None and kept:
            with Progress(console=messages, transient=True) as progress:
                fetched = [
                    await compliance.get_evidence_image(check_id, image.sha256, purpose=purpose)
                    for image in progress.track(kept, description="Fetching images")
                ]
        return evidence, fetched

    evidence, fetched = call_server(context, Compliance, work)
    with errors_reported():
        saved = [] if images is None else [_save_image(images, check_id, image) for image in fetched]
        if save is not None:
            _write(save, evidence.record_jws.encode() + b"\n")
            saved.append(save)
    if as_json:
        typer.echo(json.dumps(json.loads(evidence.record_json), indent=2))
    else:
        console = Console()
        console.print(
            verdict_view(
                evidence.result,
                signature="not checked: --save it",
                more="" if verbose else "--verbose",
            )
        )
        for table in evidence_tables(evidence):
            console.print()
            console.print(table)
    for path in saved:
        say(f"saved {path}", err=True)
    if evidence.altered_facts:
        messages.print(
            f"Altered in the database: {', '.join(evidence.altered_facts)}. Lists state them otherwise than "
            "the sealed record, which is shown here and is right. Find out who can write to the database, "
            "and restore it from a backup.",
            style="bold red",
        )
        raise typer.Exit(1)


def _save_image(folder: Path, check_id: str, image: ExportedImage) -> Path:
    facts = image.facts
    name = enum_word(facts, "purpose").lower()
    extension = _EXTENSIONS.get(facts.media_type, "bin")
    path = folder / f"{check_id}-{name}-{facts.sha256.hex()[:12]}.{extension}"
    _write(path, image.content)
    return path


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from error


def export_command(
    context: typer.Context,
    check_id: Annotated[
        str | None,
        typer.Argument(metavar="CHECK", help="Identifier of the check; left out with --subject."),
    ] = None,
    *,
    purpose: PurposeOption,
    out: Annotated[
        Path | None, typer.Option(help="File; by default facegate-CHECK.zip.", show_default=False)
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(help="Export all data of this person instead (GDPR Article 15), by its reference."),
    ] = None,
) -> None:
    """Export the evidence of a check as one signed archive.

    The archive has the images, the record, the signed result, the public keys and a report for people.
    `facegate result verify` verifies it without this server. For example:

        facegate checks export 8366b788-9c1b-42af-b63f-d9078de4adac --purpose c-17

        facegate checks export --subject customer-4711 --purpose "letter 9"

        facegate checks export CHECK --purpose c-17 --service api.example:8444
        --ca ca.pem --api-key-file key.txt

    The exit status is 0; 1 if there is nothing of the person; 2 for an error.
    """
    if (check_id is None) == (subject is None):
        raise typer.BadParameter("give either a check or --subject", param_hint="CHECK")
    target = out or Path(f"facegate-{check_id or 'person'}.zip")
    if target.exists():
        raise typer.BadParameter(f"{target} exists; remove it, or name another file", param_hint="--out")

    async def work(compliance: Compliance) -> int:
        if subject is not None:
            archive = compliance.export_subject(subject, purpose=purpose)
            return await _written(archive, target, expect=lambda file: _expect_data(file, subject))
        return await _written(compliance.export_evidence(check_id or "", purpose=purpose), target)

    size = call_server(context, Compliance, work)
    say(f"saved {target} ({size:,} bytes)", err=True)
    say(f"Verify it anywhere: facegate result verify {target} --jwks jwks.json", err=True)


def _expect_data(archive: Path, subject: str) -> None:
    """End the command unless the archive of a person names a check, or data about a device."""
    try:
        with zipfile.ZipFile(archive) as opened:
            about = json.loads(opened.read("subject.json"))
        known = about["checks"] or any(about["devices"].values())
    except (
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise CommandError("what the server sent is no archive of a person; nothing was saved") from error
    if not known:
        say(f"There is nothing of {shown(subject)}: nothing was saved. Is the reference right?")
        raise typer.Exit(1)


async def _written(
    parts: AsyncIterator[bytes], target: Path, *, expect: Callable[[Path], None] | None = None
) -> int:
    """Write a file from its parts, and return its size; an export that fails leaves none.

    Args:
        expect: Raises if the whole file is not to be kept.
    """
    try:
        with appearing(target) as file:
            with Progress(
                TextColumn("Exporting"),
                BarColumn(),
                DownloadColumn(),
                console=Console(stderr=True),
                transient=True,
            ) as progress:
                task = progress.add_task("export", total=None)
                async for chunk in parts:
                    file.write(chunk)
                    progress.update(task, advance=len(chunk))
            size = file.tell()
            if expect is not None:
                file.flush()
                expect(Path(file.name))
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror or error}") from error
    return size


WithdrawOption = Annotated[
    bool, typer.Option("--withdraw", help="Withdraw the same request, which waits for a second person.")
]


def hold_command(
    context: typer.Context,
    check_id: CheckArgument,
    *,
    reference: Annotated[
        str, typer.Option(help="Reference of the hold. At most 128 bytes, such as the number of a case.")
    ],
    reason: Annotated[str, typer.Option(help="Why. At most 256 bytes, without personal data.")],
    release: Annotated[bool, typer.Option("--release", help="Release the hold of this reference.")] = False,
    withdraw: WithdrawOption = False,
) -> None:
    """Place a legal hold, or release it. While there is one, no caller and no retention erases the check.

    The settings may demand that a second person makes the same release; --withdraw ends the first one's
    request. For example:

        facegate checks hold CHECK --reference case-17 --reason "court order"

        facegate checks hold CHECK --reference case-17 --reason "case closed" --release

        facegate checks hold CHECK --reference case-17 --reason order --service api.example:8444
        --ca ca.pem --api-key-file key.txt

    The exit status is 0; 1 if the hold exists for another reason; 3 until a second person confirms a
    release; 2 for an error.
    """
    if withdraw:
        _withdraw(context, check_id=check_id, hold_reference=reference, purpose=reason)
        return
    if release:
        response = call_server(
            context,
            Compliance,
            lambda compliance: compliance.release_hold(check_id, reference=reference, purpose=reason),
        )
        _stop_if_pending(response)
        left = response.remaining_holds
        others = (
            f"{left} more {'keeps' if left == 1 else 'keep'} the check" if left else "no hold keeps the check"
        )
        say(f"The hold {reference} is released; {others}.")
        return
    hold = call_server(
        context,
        Compliance,
        lambda compliance: compliance.place_hold(check_id, reference=reference, reason=reason),
    )
    say(
        f"{check_id} is on hold {hold.reference}, since {time_words(hold.place_time)} UTC by "
        f"{hold.placed_by}, because: {hold.reason}"
    )
    if hold.reason != reason:
        typer.echo(
            "This hold existed, and your reason was not recorded: place one with another --reference.",
            err=True,
        )
        raise typer.Exit(1)


_MOST_COUNTED: Final = 1_000


class ErasureWord(StrEnum):
    """Why a person is erased."""

    REQUEST = "request"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    OTHER = "other"


def erase_command(
    context: typer.Context,
    check_id: Annotated[
        str | None, typer.Argument(metavar="CHECK", help="Identifier of the check; left out with --subject.")
    ] = None,
    *,
    purpose: PurposeOption,
    subject: Annotated[
        str | None, typer.Option(help="Erase this person instead (GDPR Article 17), by the reference.")
    ] = None,
    reason: Annotated[
        ErasureWord | None,
        typer.Option(metavar="REASON", help="Why the person is erased. request, consent-withdrawn or other."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. Erasure cannot be undone.")] = False,
    withdraw: WithdrawOption = False,
) -> None:
    """Erase the evidence of a check before its retention ends, or a person.

    A hold prevents it. Of a person, all checks without a hold are erased, device keys, and the pseudonym in
    the audit log. A call that failed may be repeated. The settings may demand that a second person makes the
    same call; --withdraw ends the first one's request. For example:

        facegate checks erase 8366b788-9c1b-42af-b63f-d9078de4adac --purpose "created by mistake"

        facegate checks erase --subject customer-4711 --reason request --purpose "letter 9"

        facegate checks erase CHECK --purpose mistake --service api.example:8444
        --ca ca.pem --api-key-file key.txt

    The exit status is 0; 1 if a hold keeps checks of a person, or there is nothing of the person; 3 until a
    second person confirms; 2 for an error.
    """
    if (check_id is None) == (subject is None) or (subject is None) != (reason is None):
        raise typer.BadParameter("give either a check, or --subject and --reason", param_hint="CHECK")
    if withdraw:
        why = "UNSPECIFIED" if reason is None else reason.name
        _withdraw(
            context,
            check_id=check_id or "",
            subject_reference=subject or "",
            reason=evidence_service_pb2.ErasureReason.Value(f"ERASURE_REASON_{why}"),
            purpose=purpose,
        )
    elif check_id is not None:
        _erase_check(context, check_id, purpose=purpose, yes=yes)
    elif subject is not None and reason is not None:
        _erase_person(context, subject, reason=reason, purpose=purpose, yes=yes)


def _withdraw(context: typer.Context, **request: Any) -> None:
    """Withdraw a request that waits for a second person, one's own or another's."""
    response = call_server(context, Compliance, lambda compliance: compliance.withdraw_approval(**request))
    if not response.HasField("approval"):
        say("No such request waits: it was confirmed or withdrawn, it lapsed, or it was another one.")
        raise typer.Exit(1)
    say(f"The request of {response.approval.requested_by} is withdrawn.")


def _erase_check(context: typer.Context, check_id: str, *, purpose: str, yes: bool) -> None:
    if not yes:
        question = f"Erase the evidence of the check {check_id}? This cannot be undone."
        typer.confirm(question, abort=True, err=True)
    response = call_server(
        context, Compliance, lambda compliance: compliance.delete_evidence(check_id, purpose=purpose)
    )
    _stop_if_pending(response)
    say(f"The evidence of {check_id} was erased at {time_words(response.erase_time)} UTC.")
    _print_residues(response.residues)


def _erase_person(
    context: typer.Context, subject: str, *, reason: ErasureWord, purpose: str, yes: bool
) -> None:
    if not yes:
        typer.confirm(
            f"Erase {shown(subject)}: {_decided_checks(context, subject)}, those that are still open, and "
            "the keys of the person's devices? This cannot be undone.",
            abort=True,
            err=True,
        )
    wire = evidence_service_pb2.ErasureReason.Value(f"ERASURE_REASON_{reason.name}")
    response = call_server(
        context,
        Compliance,
        lambda compliance: compliance.erase_subject(subject, reason=wire, purpose=purpose),
    )
    _stop_if_pending(response)
    if not (response.erased_checks or response.forgotten_device_rows or response.held_check_ids):
        say(f"There is nothing of {shown(subject)}: nothing was erased. Is the reference right?")
        raise typer.Exit(1)
    say(
        f"Erased {counted(response.erased_checks, 'check')}, and "
        f"{counted(response.forgotten_device_rows, 'row')} of device keys, key uses and scan memories."
    )
    if response.erased_checks or response.forgotten_device_rows:
        _print_residues(response.residues)
    if response.held_check_ids:
        held = len(response.held_check_ids)
        verbs = "is on hold and stays" if held == 1 else "are on hold and stay"
        say(f"{counted(held, 'check')} {verbs}, with the scan; release the holds and call again:")
        for check_id in response.held_check_ids:
            say(f"- {check_id}")
        raise typer.Exit(1)


def _decided_checks(context: typer.Context, subject: str) -> str:
    """Return in words how many decided checks a person has, and how many of them a hold keeps.

    Who may erase need not be able to list them.
    """
    request = evidence_service_pb2.ListChecksRequest(subject_reference=subject, page_size=200)

    async def count(compliance: Compliance) -> str:
        try:
            found = [check async for check in compliance.all_checks(request, most=_MOST_COUNTED)]
        except CallRefusedError as error:
            if error.refusal.reason != "PERMISSION_DENIED":
                raise
            return "the decided checks (your credentials may not count them)"
        at_least = "at least " if len(found) == _MOST_COUNTED else ""
        held = sum(check.on_hold for check in found)
        kept = f" ({held} on hold, which {'stays' if held == 1 else 'stay'})" if held else ""
        return f"{at_least}{counted(len(found), 'decided check')}{kept}"

    return call_server(context, Compliance, count)


def _stop_if_pending(
    response: evidence_service_pb2.ReleaseHoldResponse
    | evidence_service_pb2.DeleteEvidenceResponse
    | evidence_service_pb2.EraseSubjectResponse,
) -> None:
    """End the command if a second person has to make the same call."""
    if response.HasField("approval"):
        approval = response.approval
        say(
            f"Requested by {approval.requested_by}, and not done yet: the settings demand two people. "
            "Another caller must make the same call, with a purpose of their own, before "
            f"{time_words(approval.expire_time)} UTC."
        )
        raise typer.Exit(PENDING)


def _print_residues(residues: Iterable[evidence_service_pb2.Residue]) -> None:
    say("What may still contain the data:")
    for residue in residues:
        say(f"- {residue.description}")


app = remote_group("Find, read, export and erase evidence of decided checks.")
app.command("list")(list_command)
app.command("show")(show_command)
app.command("export")(export_command)
app.command("hold")(hold_command)
app.command("erase")(erase_command)
