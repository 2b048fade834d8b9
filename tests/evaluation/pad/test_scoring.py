from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.pad.dataset import PadSample, read_dataset
from evaluation.pad.evidence import ClipEvidence
from evaluation.pad.runs import NonResponse, ScorerKind, ScoreRun
from evaluation.pad.scoring import clip_scorers, picture_scorers, score_clips, score_pictures
from evaluation.scans import frame_of
from liveness.fusion_model import load_fusion_model
from liveness.verdict import Verdict
from matcher.persons import PHOTO_SUBJECT, SCAN_SUBJECT
from tests.server.analysis.uploads import with_bystander
from tests.server.models_once import remembering_pack
from vision.face import BgrImage, DetectedFace
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack, load_pack

NETWORKS = ("minifas_v2se", "minifasnet_v1se", "minifasnet_v2")


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return load_pack(f"open:{assets / 'models'}", runtime=RuntimeOptions(intra_op_threads=1))


def chosen(assets: Path, folder: str, *, each: int, source: str) -> list[PadSample]:
    """Some bona fide presentations and some attacks of one source, spread over it."""
    samples = [
        each for each in read_dataset(assets / "data" / folder) if source in each.source and each.usable
    ]
    found = []
    for is_live in (True, False):
        of = [sample for sample in samples if sample.live is is_live]
        found += [of[at] for at in np.linspace(0, len(of) - 1, min(each, len(of))).astype(int)]
    return found


def by_name(runs: tuple[ScoreRun, ...]) -> dict[str, ScoreRun]:
    return {run.scorer.name: run for run in runs}


def test_real_pictures(assets: Path, pack: Pack, tmp_path: Path) -> None:
    samples = chosen(assets, "pad", each=6, source="feni-katharotiya")
    nothing = tmp_path / "nothing.jpg"
    nothing.write_bytes(b"no picture")
    samples = [*samples, PadSample(nothing, samples[0].label, "", "x", "", "s", True)]
    calls: list[None] = []
    runs = by_name(
        score_pictures(
            samples,
            pack=pack,
            subject=PHOTO_SUBJECT,
            scorers=picture_scorers(pack, fusion=load_fusion_model()),
            report=lambda: calls.append(None),
        )
    )
    assert len(calls) == len(samples) == 13
    assert list(runs) == [*NETWORKS, "eight signals", "cues of one frame", "fusion, one frame"]
    network, fusion = runs["minifas_v2se"], runs["fusion, one frame"]
    assert dict(network.faults) == {12: NonResponse.UNREADABLE}
    assert network.scores[network.live][:-1].mean() > network.scores[~network.live].mean() + 0.2
    assert ((network.scores[:-1] >= 0) & (network.scores[:-1] <= 1)).all()
    assert set(fusion.verdicts.values()) <= set(Verdict)
    assert "pad_network" in fusion.parts
    assert len(runs["eight signals"].parts) == 8
    # The fusion includes the network and other signals.
    assert np.median(fusion.milliseconds) > np.median(network.milliseconds) > 0


def test_a_face_that_is_not_there_is_no_error(assets: Path, pack: Pack, tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "wall.png"
    cv2.imwrite(str(path), np.full((200, 200, 3), 120, np.uint8))
    sample = chosen(assets, "pad", each=1, source="feni-katharotiya")[0]
    runs = score_pictures(
        [PadSample(path, sample.label, "", "x", "", "s", True)],
        pack=pack,
        subject=PHOTO_SUBJECT,
        scorers=picture_scorers(pack, fusion=load_fusion_model()),
    )
    assert {run.faults[0] for run in runs} == {NonResponse.NO_FACE}


class Refuses:
    name = "refuses"

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        from vision.errors import ModelFailed

        raise ModelFailed("it does")


def test_a_model_that_fails_is_a_non_response_of_its_own_scorer(assets: Path, pack: Pack) -> None:
    samples = chosen(assets, "pad", each=1, source="feni-katharotiya")
    scorers = picture_scorers(pack, extra=(Refuses(),), fusion=load_fusion_model())
    runs = by_name(score_pictures(samples, pack=pack, subject=PHOTO_SUBJECT, scorers=scorers))
    assert set(runs["refuses"].faults.values()) == {NonResponse.MODEL_FAILED}
    assert runs["minifas_v2se"].answered.all()


@pytest.mark.slow
def test_real_clips(assets: Path, pack: Pack, tmp_path: Path) -> None:
    samples = chosen(assets, "video", each=1, source="tranvanluyt2203")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no clip")
    samples.append(PadSample(broken, samples[0].label, "", "x", "", "s", True))
    runs = by_name(
        score_clips(
            samples, pack=pack, subject=SCAN_SUBJECT, scorers=clip_scorers(pack, fusion=load_fusion_model())
        )
    )
    assert list(runs) == [*NETWORKS, "temporal cues", "fusion"]
    fusion = runs["fusion"]
    assert len(fusion.samples) > len(samples)
    assert fusion.faults == {len(fusion.samples) - 1: NonResponse.UNREADABLE}
    lively, replayed = fusion.scores[:-1][fusion.live[:-1]], fusion.scores[~fusion.live]
    assert lively.min() > replayed.max()
    assert Verdict.LIVE not in {fusion.verdicts[int(at)] for at in np.flatnonzero(~fusion.live)}
    assert runs["temporal cues"].scorer.kind is ScorerKind.TEMPORAL
    assert "pad_network" not in runs["temporal cues"].parts


def test_the_rule_decides_whether_a_bystander_in_a_clip_counts() -> None:
    frames = [
        replace(frame_of(each), index=index, capture_time_us=100_000 * index + 1)
        for index, each in enumerate(with_bystander(count=9))
    ]
    strict = replace(SCAN_SUBJECT, background_width=0.0)
    assert ClipEvidence(frames, remembering_pack(), subject=SCAN_SUBJECT).found
    assert not ClipEvidence(frames, remembering_pack(), subject=strict).found
