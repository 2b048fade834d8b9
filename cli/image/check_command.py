"""``facegate image check``: tests whether images meet a policy's requirements for a trusted image."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.chosen_policy import chosen_pack, chosen_policy
from cli.error_reporting import FAILED, errors_reported
from cli.errors import PolicyUnusable
from cli.image.check_view import checked_view, summary_view
from cli.image.checking import DecodersOnDemand, ImageFinding, ImageResult, as_json, assess_image
from cli.models.options import ModelsDirOption, models_folder
from cli.options import ConfigOption, JsonOption
from matcher import MatcherError, PortraitPolicy
from server.policies import Policy
from vision.errors import VisionError
from vision.packs import Pack, load_pack

__all__ = ["check_command"]

_NOT_CONFORMANT: Final = 1


def check_command(
    *,
    files: Annotated[
        list[Path], typer.Argument(help="Images to test. PNG, JPEG, JPEG 2000, facial records, or DG2s.")
    ],
    pack: Annotated[
        str | None,
        typer.Option(
            help="Pack. `embedded`, the name of a pulled pack, or a family and folder as in the settings; by "
            "default that of the settings file, or `embedded`.",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help="Policy. Its name, or a policy file (TOML); by default that of the settings file, or "
            "`standard`.",
            metavar="NAME|FILE",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    models_dir: ModelsDirOption = None,
    as_json_text: JsonOption = False,
) -> None:
    """Test images against a policy's requirements for a trusted image.

    The tests are those of a server with this policy. Each requirement is shown with its measurement, the
    required value and, if ISO/IEC 29794-5 defines one, a score from 0 to 100. Hard requirements decide; the
    others are advice. The exit status is 0 if every image is conformant, 1 if one is not, and 2 if one could
    not be decided: the file or a model failed, or a hard requirement could not be assessed. For example:

        facegate image check portrait.jpg

        facegate image check record.iso EF_DG2.bin --pack open --policy high

        facegate image check photos/*.jpg --policy ./passport.toml --json
    """
    with errors_reported(MatcherError, VisionError):
        chosen = chosen_policy(policy, config)
        demands = chosen.portrait.as_policy()
        loaded = load_pack(chosen_pack(pack, config), models_dir=models_folder(models_dir, config))
        _refuse_shortfall(chosen, demands, loaded)
    results = _checked(files, pack=loaded, policy=demands, quiet=as_json_text)
    if as_json_text:
        typer.echo(json.dumps([as_json(checked) for checked in results], indent=2, ensure_ascii=False))
    else:
        _show(results, demands=f"the policy {chosen.name} (profile {demands.profile}), pack {loaded.name}")
    raise typer.Exit(_status(results))


def _refuse_shortfall(policy: Policy, demands: PortraitPolicy, pack: Pack) -> None:
    shortfall = demands.shortfall(None if pack.landmarker is None else pack.landmarker.scheme)
    if shortfall is not None:
        raise PolicyUnusable(
            f"the policy {policy.name} cannot be met by the pack {pack.name}: {shortfall}. Choose another "
            "pack, or make these advisory in the policy."
        )


def _checked(
    files: Sequence[Path], *, pack: Pack, policy: PortraitPolicy, quiet: bool
) -> tuple[ImageResult, ...]:
    progress = Progress(
        TextColumn("checking"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
        disable=quiet or len(files) == 1,
    )
    results = []
    with progress if len(files) > 1 else nullcontext(), DecodersOnDemand() as decoders:
        task = progress.add_task("", total=len(files))
        for file in files:
            progress.update(task, description=file.name)
            results.append(assess_image(file, pack=pack, policy=policy, still_decoder=decoders))
            progress.advance(task)
    return tuple(results)


def _show(results: Sequence[ImageResult], *, demands: str) -> None:
    console = Console()
    for checked in results:
        console.print(checked_view(checked, demands=demands))
    if len(results) > 1:
        console.print(summary_view(results))


def _status(results: Sequence[ImageResult]) -> int:
    answers = {checked.answer for checked in results}
    if ImageFinding.UNDECIDED in answers:
        return FAILED
    return _NOT_CONFORMANT if ImageFinding.NOT_CONFORMANT in answers else 0
