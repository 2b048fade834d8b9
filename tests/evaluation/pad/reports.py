"""A simulated report of one pack."""

from datetime import UTC, datetime
from functools import cache

from evaluation.bench import describe_machine
from evaluation.pad.conclusion import conclude
from evaluation.pad.evaluation import evaluate_run
from evaluation.pad.report import PackReport, PadReport, SetReport, describe_material
from evaluation.pad.resampling import Bootstrap, draw
from evaluation.pad.runs import ScorerKind
from matcher.persons import PHOTO_SUBJECT
from tests.evaluation.pad.samples import attack, crowd, scored

__all__ = ["made_report"]


@cache
def made_report() -> PadReport:
    """Images of six sources with two species and a few deepfakes, a network, and a fusion."""
    bootstrap = Bootstrap(resamples=100, confidence=0.95, seed=5)
    samples = crowd(sources=6, persons=4, each=3, species=("print:a4", "screen"))
    samples += [attack(number, species="deepfake", source="o1/r") for number in range(4)]
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
