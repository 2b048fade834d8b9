"""Simulated persons, and a report over them."""

import functools
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from lab.evaluation.bench import Machine
from lab.evaluation.match.comparisons import Comparisons, compare_all
from lab.evaluation.match.evaluation import Bootstrap, differences, evaluate_sets
from lab.evaluation.match.groups import evaluate_groups
from lab.evaluation.match.report import Comparison, MatchReport, PackReport, Photos
from lab.evaluation.match.templates import AcquisitionFault, LabelledTemplate, TemplateRun
from lab.tests.evaluation.samples import burning_pack
from matcher.persons import PHOTO_SUBJECT
from vision.packs import Pack
from vision.packs.pack import PackFile

# Simulated persons, each with templates drawn around one direction, and packs without models.


def crowd(
    *,
    persons: int,
    photos: int,
    seed: int,
    spread: float = 0.6,
    apart: int = 0,
    failing: tuple[int, ...] = (),
) -> tuple[TemplateRun, Comparisons]:
    """Templates of persons, and all their comparisons.

    Args:
        photos: Number of photos of each.
        spread: Distance of a photo from its person; at 1 the distance of its person from others.
        apart: Number of persons that are measured separately.
        failing: Positions of photos without a template.
    """
    rng = np.random.default_rng(seed)
    templates = []
    for person in range(persons):
        centre = rng.normal(size=32)
        for number in range(photos):
            vector = centre + spread * rng.normal(size=32)
            templates.append(
                LabelledTemplate(
                    (vector / np.linalg.norm(vector)).astype(np.float32),
                    f"p{person:03}",
                    apart=person < apart,
                    photo=person * photos + number,
                )
            )
    kept = tuple(template for template in templates if template.photo not in failing)
    run = TemplateRun(templates=kept, photos=len(templates), milliseconds=(5.0,) * len(kept))
    return run, compare_all(kept)


def pack_of(embedder_sha256: str) -> Pack:
    """A pack that names an embedder."""
    pack = burning_pack()
    files = (PackFile(name="embedder.onnx", role="embedder", sha256=embedder_sha256),)
    return replace(pack, files=files)


# A report over simulated persons.

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)


@functools.cache
def made_report(*, persons: int = 30, photos: int = 2, apart: int = 0) -> MatchReport:
    """A report of two packs, with groups and a comparison."""
    packs, main = [], []
    for number, name in enumerate(("open:DIR", "embedded")):
        run, comparisons = crowd(
            persons=persons, photos=photos, seed=3, spread=0.7 + 0.3 * number, apart=apart
        )
        failed = TemplateRun(
            templates=run.templates,
            photos=run.photos + 1,
            milliseconds=run.milliseconds,
            faults={run.photos: AcquisitionFault.NO_FACE},
        )
        sets = evaluate_sets(comparisons, BOOTSTRAP)
        main.append(sets[0].comparisons)
        half = np.arange(run.photos + 1) < run.photos // 2
        packs.append(
            PackReport(
                name=name,
                version="abc",
                evaluation_only=number == 1,
                embedder="embedder.onnx",
                embedder_sha256="ab" * 32,
                provenance="measured",
                run=failed,
                sets=sets,
                groups=evaluate_groups(
                    comparisons,
                    groups={("sex", "<f>"): half, ("sex", ""): ~half},
                    failed=(run.photos,),
                    main=sets[0],
                    calibrated=[(point.target, point.bounded.threshold) for point in sets[0].supported],
                    bootstrap=BOOTSTRAP,
                ),
                calibrated=tuple((point.target, point.bounded) for point in sets[0].supported),
            )
        )
    everybody = np.ones(persons * photos + 1, dtype=np.bool_)
    return MatchReport(
        command="facegate evaluate match --identities DIR",
        made=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        version="0.1.0",
        machine=Machine(cpu="a CPU", cores=2, system="Linux", python="3.11", load=None),
        photos=Photos(
            kind="identities",
            photos=persons * photos + 1,
            identities=persons,
            left_out={"without an identity": 3},
            guessed=False,
            subject=PHOTO_SUBJECT,
        ),
        bootstrap=BOOTSTRAP,
        packs=tuple(packs),
        comparisons=(
            Comparison(
                first="embedded",
                second="open:DIR",
                differences=differences(
                    main[1], main[0], acquired=(everybody, everybody), bootstrap=BOOTSTRAP
                ),
            ),
        ),
    )
