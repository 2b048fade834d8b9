"""Simulated presentations, the answers of simulated scorers, and a report of one pack."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from lab.evaluation.bench import describe_machine
from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.pad.conclusion import conclude
from lab.evaluation.pad.dataset import PadLabel, PadSample
from lab.evaluation.pad.evaluation import evaluate_run
from lab.evaluation.pad.report import PackReport, PadReport, SetReport, describe_material
from lab.evaluation.pad.resampling import draw
from lab.evaluation.pad.runs import NonResponse, ScorerAnswer, ScorerKind, ScorerName, ScoreRun, collect_run
from liveness.verdict import Verdict
from matcher.persons import PHOTO_SUBJECT

# Simulated presentations and the answers of simulated scorers.


def live(number: int, *, source: str = "a", person: str = "p") -> PadSample:
    return PadSample(
        path=Path(f"{source}/live/{number}.jpg"),
        label=PadLabel.LIVE,
        species="",
        source=source,
        identity=person,
        session="s",
        usable=True,
    )


def attack(number: int, *, species: str = "print", source: str = "a", session: str = "s") -> PadSample:
    return PadSample(
        path=Path(f"{source}/{species}/{number}.jpg"),
        label=PadLabel.ATTACK,
        species=species.partition(":")[0],
        source=source,
        identity="",
        session=session,
        usable=True,
        variety=species,
    )


def crowd(*, sources: int, persons: int, each: int, species: Sequence[str] = ("print",)) -> list[PadSample]:
    """A number of persons and images of each source, and as many sittings of each species."""
    found = []
    for source in range(sources):
        for person in range(persons):
            for number in range(each):
                at = number + each * person
                found.append(live(at, source=f"o{source}/r", person=f"p{person}"))
                found += [
                    attack(at, species=kind, source=f"o{source}/r", session=f"s{person}") for kind in species
                ]
    return found


def answers(
    samples: Sequence[PadSample],
    *,
    apart: float,
    seed: int,
    silent: Sequence[int] = (),
    decides: bool = False,
) -> list[ScorerAnswer]:
    """Scores of 0..1 with a separation that grows with ``apart``, and a level for each person."""
    rng = np.random.default_rng(seed)
    own = {group: rng.normal() for group in dict.fromkeys(sample.group for sample in samples)}
    found = []
    for at, sample in enumerate(samples):
        value = 1 / (
            1 + np.exp(-(apart * (1 if sample.live else -1) + 0.5 * own[sample.group] + rng.normal()))
        )
        verdict = (Verdict.LIVE if value > 0.5 else Verdict.SPOOF) if decides else None
        found.append(
            ScorerAnswer(None, NonResponse.NO_FACE)
            if at in silent
            else ScorerAnswer(
                float(value), verdict=verdict, parts={"half": float(value) / 2} if decides else {}
            )
        )
    return found


def scored(
    samples: Sequence[PadSample],
    *,
    apart: float,
    seed: int = 1,
    name: str = "network",
    kind: ScorerKind = ScorerKind.NETWORK,
    silent: Sequence[int] = (),
    decides: bool = False,
) -> ScoreRun:
    """The run of a simulated scorer."""
    given = answers(samples, apart=apart, seed=seed, silent=silent, decides=decides)
    return collect_run(ScorerName(name, kind), samples, given, [2.0] * len(samples))


BOOTSTRAP = Bootstrap(resamples=100, confidence=0.95, seed=5)
SAMPLES = crowd(sources=6, persons=4, each=3, species=("print:a4", "screen")) + [
    attack(number, species="deepfake", source="o1/r") for number in range(4)
]


# A simulated report of one pack.


@cache
def made_report() -> PadReport:
    """Images of six sources with two species and a few deepfakes, a network, and a fusion."""
    samples, bootstrap = SAMPLES, BOOTSTRAP
    draws = draw(samples, bootstrap)
    runs = (
        scored(samples, apart=0.6, seed=1, name="net<work>", silent=(0,)),
        scored(samples, apart=1.5, seed=2, name="fusion", kind=ScorerKind.FUSION, decides=True),
    )
    results = tuple(evaluate_run(run, draws=draws, bootstrap=bootstrap) for run in runs)
    return PadReport(
        command="facegate evaluate pad --dataset pad",
        made=datetime(2026, 11, 20, 12, tzinfo=UTC),
        version="1.2.3",
        machine=describe_machine(),
        bootstrap=bootstrap,
        fusion_model="2",
        subjects={"pictures": PHOTO_SUBJECT},
        packs=(
            PackReport(
                name="open",
                version="v7",
                evaluation_only=True,
                networks={"net.onnx": "00"},
                sets=(
                    SetReport(
                        material=describe_material("pictures", samples, left_out=2),
                        runs=runs,
                        results=results,
                        conclusion=conclude(runs, results, draws=draws, bootstrap=bootstrap),
                    ),
                ),
            ),
        ),
    )
