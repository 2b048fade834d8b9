"""Runs whole checks through gRPC over the development data, and counts the outcomes.

For example::

    python -m tests.whole_checks --pack insightface:shared/models --assets shared
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lab.evaluation.check_cases import clip_cases
from tests.whole_checks.cases import Case, kinds, mask_cases, photo_cases
from tests.whole_checks.runner import CaseOutcome, PhotoModeller, run_cases
from vision.packs import default_models_dir, load_pack

_LEAST_FACE_WIDTH = 200


def checks(
    pack: Annotated[
        str, typer.Option(help="Pack. For example `open`, `embedded` or `insightface:<folder>`.")
    ],
    assets: Annotated[
        Path,
        typer.Option(
            help="Folder with `data/video`, `data/faces` and, if there, `data/video_more`.",
            exists=True,
            file_okay=False,
        ),
    ],
    policy: Annotated[str, typer.Option(help="Policy of each check.")] = "standard",
    people: Annotated[int, typer.Option(help="Number of identities whose photos are used.")] = 12,
    out: Annotated[Path | None, typer.Option(help="JSON file for the outcomes.")] = None,
) -> None:
    """Run whole checks through gRPC over the development data, and count the outcomes."""
    folders = [assets / "data" / "video", assets / "data" / "video_more"]
    photos = photo_cases(assets / "data" / "faces", least_face_width=_LEAST_FACE_WIDTH, people=people)
    cases: list[Case] = [
        *(case for folder in folders if folder.is_dir() for case in clip_cases(folder)),
        *photos,
        *mask_cases(photos),
    ]
    embedded = load_pack("embedded")
    if embedded.landmarker is None:
        raise typer.BadParameter("the embedded pack has no landmarks to simulate scans from")
    console = Console()
    with Progress(console=console) as progress:
        task = progress.add_task("Whole checks", total=len(cases))
        outcomes = run_cases(
            cases,
            pack=embedded
            if pack == "embedded"
            else load_pack(pack, models_dir=default_models_dir(os.environ, Path.home())),
            modeller=PhotoModeller(embedded.detector, embedded.landmarker),
            policy=policy,
            report=lambda _: progress.advance(task),
        )
    console.print(counts_table(outcomes, title=f"Whole checks, pack {pack}, policy {policy}"))
    if out is not None:
        out.write_text(json.dumps([as_json(outcome) for outcome in outcomes], indent=2) + "\n")


def counts_table(outcomes: Sequence[CaseOutcome], *, title: str) -> Table:
    """Return the outcomes by kind of case."""
    columns = "case", "checks", "SUCCESS", "NOT_DECIDED", "LIVE", "SPOOF", "INCONCLUSIVE", "reasons"
    table = Table(*columns, title=title)
    for kind in kinds([outcome.case for outcome in outcomes]):
        of_kind = [outcome for outcome in outcomes if outcome.case.kind is kind]
        verdicts = Counter(outcome.verdict for outcome in of_kind)
        reasons = Counter(reason for outcome in of_kind for reason in outcome.reasons[:1])
        table.add_row(
            kind.value,
            str(len(of_kind)),
            str(sum(outcome.status == "SUCCESS" for outcome in of_kind)),
            str(sum(outcome.status == "NOT_DECIDED" for outcome in of_kind)),
            str(verdicts["LIVE"]),
            str(verdicts["SPOOF"]),
            str(verdicts["INCONCLUSIVE"]),
            ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()),
        )
    return table


def as_json(outcome: CaseOutcome) -> dict[str, object]:
    """Return one outcome, without images."""
    result = outcome.result
    return {
        "kind": outcome.case.kind.value,
        "portrait": outcome.case.portrait.name,
        "scan": outcome.case.scan.name,
        "status": outcome.status,
        "reasons": outcome.reasons,
        "liveness": outcome.verdict,
        "confidence": round(result.liveness.confidence, 1)
        if result and result.HasField("liveness")
        else None,
        "similarity": round(result.match.similarity, 1) if result and result.HasField("match") else None,
        "frames": None if result is None else result.transcript.frames,
        "signals": {}
        if result is None
        else {s.name: round(s.score, 3) for s in result.liveness.signals if s.HasField("score")},
    }


if __name__ == "__main__":
    typer.run(checks)
