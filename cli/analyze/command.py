"""``facegate analyze``: judges whether images, videos and still frames show a living person."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from cli.analyze.analysers import Analyser, AnalysisDepth, LocalAnalyser, RemoteAnalyser
from cli.analyze.page import explained_file, page_html
from cli.analyze.printing import finding_view, summary_view
from cli.analyze.report import FileReport, as_json_line
from cli.chosen import chosen_pack, chosen_policy, models_folder
from cli.connection import ApiKeyOption, CaOption, CertOption, Connection, KeyOption
from cli.errors import errors_reported
from cli.files import require_file_path, write_file
from cli.image.command import DecodersOnDemand
from cli.options import PackOption
from cli.shown import counting, printable, say, shown_name
from facegate_client import ClientError
from liveness import Verdict
from server.analysis.video import MAXIMUM_STILLS
from server.base.version import server_version
from server.configuration.loading import SettingsInvalid
from server.pages import Explanation
from server.policies.schema import liveness_policy
from vision.errors import VisionError
from vision.packs import Pack, load_pack

ALL_LIVE, NOT_ALL_LIVE, NO_VERDICT = 0, 1, 2

_NAME: Final = 40
_MOST_EXPLAINED: Final = 50
"""Most files of one page. Each adds about a megabyte, and a browser has to show them all."""


def analyze(
    *,
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Images and videos. Images are JPEG, PNG, WebP or BMP, at most 10 MB; videos are MP4, MOV, "
            "AVI, WebM or MKV, at most 50 MB.",
            metavar="FILE",
            show_default=False,
        ),
    ],
    mode: Annotated[
        AnalysisDepth,
        typer.Option(
            help="Analysis of images. `basic` takes the sum of eight signals; `full` also runs the PAD "
            "networks and measures every other cue, and the fusion decides."
        ),
    ] = AnalysisDepth.FULL,
    as_frames: Annotated[
        bool,
        typer.Option("--as-frames", help="The images are frames of one scan. At least 8 images, in order."),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print JSON Lines. Each file has one envelope, in the order of the files."
        ),
    ] = False,
    explain: Annotated[
        Path | None,
        typer.Option(
            help="Write a page that explains the verdict. It contains the deciding images: biometric data.",
            metavar="OUT.html",
            show_default=False,
        ),
    ] = None,
    pack: PackOption = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help="Policy with the thresholds of the fusion, and the faces of a video that count as persons. "
            "A name, or a policy file (TOML); by default that of the settings file, or `standard`.",
            metavar="NAME|FILE",
            show_default=False,
        ),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            help="Let a server analyse. The host:port of its service listener; its pack and policy apply.",
            metavar="HOST:PORT",
            show_default=False,
        ),
    ] = None,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Judge images and videos of people: LIVE, SPOOF or INCONCLUSIVE.

    Each signal is shown with its score, its weight and its finding in words. The sum of eight signals judges
    single images, in each mode; the fusion judges videos, and images in full mode. A verdict on a file is not
    a check: a file does not prove who was in front of a camera, or when. Without --service nothing leaves
    this computer, and only the page is written.

    Examples:
      facegate analyze selfie.jpg

      facegate analyze selfie.jpg clip.mp4 --pack open --explain why.html

      facegate analyze --as-frames frames/*.png --policy high

      facegate analyze photos/*.jpg --mode basic --json > answers.jsonl

      facegate analyze clip.mov --service api.example:8444 --api-key-file key.txt

    The exit status is 0 if every verdict is LIVE, 1 if one is SPOOF or INCONCLUSIVE, and 2 if a file has no
    verdict: it cannot be read, shows no face or several, or a model failed.
    """
    messages = Console(stderr=True)
    with errors_reported(VisionError, ClientError, console=messages, words=printable):
        if service is None:
            _refuse_without_server(ca=ca, cert=cert, key=key)
        else:
            _refuse_with_server(pack=pack, policy=policy, explain=explain)
        if as_frames and len(files) > MAXIMUM_STILLS:
            raise typer.BadParameter(
                f"{len(files)} still frames are too many: at most {MAXIMUM_STILLS} make one scan",
                param_hint="--as-frames",
            )
        if explain is not None:
            if not as_frames and len(files) > _MOST_EXPLAINED:
                raise typer.BadParameter(
                    f"{len(files)} files are too many for one page: "
                    f"explain at most {_MOST_EXPLAINED} at a time",
                    param_hint="--explain",
                )
            require_file_path(explain)
    run = partial(_analyse_all, files=files, as_frames=as_frames, as_json=as_json)
    with errors_reported(SettingsInvalid, VisionError, ClientError, console=messages, words=printable):
        if service is not None:
            connection = Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)
            findings, _ = run(RemoteAnalyser(connection, mode))
        else:
            rules = chosen_policy(policy)
            models = load_pack(chosen_pack(pack), models_dir=models_folder())
            with DecodersOnDemand() as decoders:
                local = LocalAnalyser(
                    pack=models,
                    policy=liveness_policy(rules),
                    subject=rules.subject.as_rule(),
                    mode=mode,
                    keeps_studies=explain is not None,
                    decoders=decoders,
                )
                findings, explained = run(local, explaining=None if explain is None else models)
            if explain is not None:
                page = page_html(
                    explained,
                    findings,
                    pack=models,
                    policy=rules.name,
                    mode=mode.value,
                    version=server_version(),
                    made=datetime.now(UTC),
                )
                write_file(explain, page.encode("utf-8", "backslashreplace"))
                text = f"wrote {shown_name(explain)}: it contains biometric data, and only you can read it"
                say(text, console=messages)
    verdicts = {None if each.deciding is None else each.deciding.verdict for each in findings}
    if None in verdicts:
        raise typer.Exit(NO_VERDICT)
    raise typer.Exit(ALL_LIVE if verdicts == {Verdict.LIVE} else NOT_ALL_LIVE)


def _analyse_all(
    analyser: Analyser,
    files: Sequence[Path],
    *,
    as_frames: bool,
    as_json: bool,
    explaining: Pack | None = None,
) -> tuple[list[FileReport], list[Explanation]]:
    """Analyse the files, and print each report as soon as it is complete.

    Args:
        explaining: The pack that judges; ``None`` if no verdict is to be explained.
    """
    sets = [tuple(files)] if as_frames else [(file,) for file in files]
    console = Console()
    findings: list[FileReport] = []
    explained: list[Explanation] = []
    with counting("analysing {task.description}") as progress:
        task = progress.add_task("", total=len(sets))
        for together in sets:
            progress.update(task, description=printable(together[0].name)[-_NAME:])
            found = analyser.analyse(together, as_frames=as_frames)
            findings.append(found.finding)
            if explaining is not None:
                explained.append(explained_file(found, explaining, number=len(findings)))
            progress.stop()
            if as_json:
                typer.echo(as_json_line(found.finding))
            else:
                console.print(finding_view(found.finding))
            progress.start()
            progress.advance(task)
    if len(findings) > 1 and not as_json:
        console.print(summary_view(findings))
    return findings, explained


def _refuse_without_server(**options: Path | None) -> None:
    for name, value in options.items():
        if value is not None:
            raise typer.BadParameter("it is valid only with --service", param_hint=f"--{name}")


def _refuse_with_server(*, pack: str | None, policy: str | None, explain: Path | None) -> None:
    for name, value in (("--pack", pack), ("--policy", policy)):
        if value is not None:
            raise typer.BadParameter(
                "the server uses its own: omit the option with --service", param_hint=name
            )
    if explain is not None:
        raise typer.BadParameter(
            "a server returns no images: omit --service to analyse on this computer", param_hint="--explain"
        )
