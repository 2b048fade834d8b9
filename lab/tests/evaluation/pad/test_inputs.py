"""The inputs of an evaluation: data sets, sessions, and their scores."""

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.evaluation.pad.dataset import (
    DatasetError,
    PadLabel,
    PadSample,
    SampleKind,
    only_listed,
    read_dataset,
    sessions_from_names,
    without_unusable,
)
from lab.evaluation.pad.evidence import ClipEvidence, Stages
from lab.evaluation.pad.runs import NonResponse, ScorerKind, ScoreRun
from lab.evaluation.pad.scoring import clip_scorers, picture_scorers, score_clips, score_pictures
from lab.evaluation.scans import frame_of
from liveness.fusion_model import load_fusion_model
from liveness.verdict import Verdict
from matcher.persons import PHOTO_SUBJECT, SCAN_SUBJECT
from tests.server.analysis.uploads import with_bystander
from tests.server.models_once import remembering_pack
from vision.face import BgrImage, DetectedFace
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack, load_pack


def manifest(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.csv").write_text(text, encoding="utf-8")
    return folder


def test_a_manifest_with_every_column_is_read(tmp_path: Path) -> None:
    found = read_dataset(
        manifest(
            tmp_path / "set",
            "file,label,species,source,identity,session,usable\n"
            "a.jpg,bona_fide,,lab,ann,monday,1\n"
            "b.jpg,attack,Screen:Phone?,lab,,tuesday,0\n"
            "c.mp4,spoof,print (glossy),,,,1\n",
        )
    )
    first, second, third = found
    assert (first.label, first.species, first.group, first.live) == (PadLabel.LIVE, "", "lab|ann", True)
    assert (second.species, second.variety, second.doubtful) == ("screen", "screen:phone", True)
    assert second.group == "lab|tuesday"
    assert (third.species, third.doubtful, third.kind) == ("print", False, SampleKind.CLIP)
    assert third.session == "c.mp4"
    assert without_unusable(found) == (first, third)


def test_the_file_itself_may_be_named(tmp_path: Path) -> None:
    folder = manifest(tmp_path / "set", "file,label\nx/1597925169.jpg,live\nx/1597925179.jpg,spoof\n")
    found = read_dataset(folder / "manifest.csv")
    assert found[0].session == found[1].session == "t1597925169"
    assert found[0].path == folder / "x" / "1597925169.jpg"
    assert (found[1].species, found[1].doubtful) == ("unknown", True)


def test_folders(tmp_path: Path) -> None:
    for name in ("live/ann_1.jpg", "live/notes.txt", "spoof/print/1.png", "spoof/mask/2.webm", "spoof/3.bmp"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    found = read_dataset(tmp_path / "set")
    assert [(sample.path.name, sample.species) for sample in found] == [
        ("ann_1.jpg", ""),
        ("3.bmp", "unknown"),
        ("2.webm", "mask"),
        ("1.png", "print"),
    ]
    assert {sample.source for sample in found} == {"set"}
    assert found[0].session == "live/ann"
    assert [sample.name for sample in found][::3] == ["live/ann_1.jpg", "spoof/print/1.png"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file\na.jpg\n", "no column label"),
        ("file,label\na.jpg,perhaps\n", "line 2: the label 'perhaps' is none of"),
        ("file,label\n../a.jpg,live\n", "does not lie in the folder"),
        ("file,label\n", "lists no image"),
    ],
)
def test_a_malformed_manifest_is_reported(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        read_dataset(manifest(tmp_path / "set", text))


def test_a_list_selects_its_samples_only(tmp_path: Path) -> None:
    samples = read_dataset(
        manifest(tmp_path / "set", "file,label\nx/a.jpg,live\nx/b.jpg,spoof\nc.jpg,live\n")
    )
    names = tmp_path / "held_out.txt"
    names.write_text("# never trained on\nc.jpg\n\nx/a.jpg\n", encoding="utf-8")
    assert [sample.name for sample in only_listed(samples, names)] == ["x/a.jpg", "c.jpg"]
    names.write_text("c.jpg\nx/d.jpg\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="1 files that are in no data set"):
        only_listed(samples, names)
    with pytest.raises(DatasetError, match="cannot be read"):
        only_listed(samples, tmp_path / "none.txt")


def test_a_missing_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        read_dataset(tmp_path / "none")
    with pytest.raises(DatasetError, match="nor the folders"):
        read_dataset(tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("set") / "manifest.csv"
    path.write_bytes(b"file,label,species\n" + content)
    try:
        found = read_dataset(path)
    except DatasetError:
        return
    assert all(sample.session for sample in found)


def test_the_collected_pictures(assets: Path) -> None:
    samples = read_dataset(assets / "data" / "pad")
    assert Counter(sample.label for sample in samples) == {PadLabel.LIVE: 554, PadLabel.ATTACK: 527}
    assert {sample.species for sample in samples} == {"", "print", "screen"}
    assert sum(sample.doubtful for sample in samples) == 60
    # One sitting is never split: the unix times of a burst are seconds apart.
    assert len({sample.group for sample in samples}) == 121


def test_the_collected_clips(assets: Path) -> None:
    samples = read_dataset(assets / "data" / "video")
    assert {sample.kind for sample in samples} == {SampleKind.CLIP}
    assert Counter(sample.species for sample in samples) == {"": 19, "screen": 3, "deepfake": 2}
    assert len({sample.group for sample in samples}) == len(samples)


NETWORKS = ("minifas_v2se", "minifasnet_v1se", "minifasnet_v2")


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return load_pack(f"open:{assets / 'models'}", runtime=RuntimeOptions())


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
    assert ClipEvidence(frames=frames, pack=remembering_pack(), subject=SCAN_SUBJECT).found
    assert not ClipEvidence(frames=frames, pack=remembering_pack(), subject=strict).found


def test_pictures_with_times_close_together_are_of_one_sitting() -> None:
    found = sessions_from_names(
        [
            "live/img_1597925169.jpg",
            "spoof/paper_1597925700.jpg",
            "live/1597926400.jpg",
            "live/20240119_205621.jpg",
            "live/IMG20240119205630.jpg",
        ]
    )
    assert found[0] == found[1] == "t1597925169"
    assert found[2] == "t1597926400"
    assert found[3] == found[4] != found[2]
    chain = [f"{1600000000 + 500 * number}.jpg" for number in range(10)]
    assert set(sessions_from_names(chain)) == {"t1600000000"}


def test_names_without_a_time_are_grouped_by_the_prefix_of_their_number() -> None:
    found = sessions_from_names(
        ["spoof/A4_img_0.jpg", "spoof/A4_img_10.jpg", "spoof/Matt_img_0.jpg", "live/7.png"]
    )
    assert found == ("spoof/A4_img", "spoof/A4_img", "spoof/Matt_img", "live")


def test_an_impossible_date_is_a_number() -> None:
    assert sessions_from_names(["a/x20249999_999999.jpg"]) == ("a/x",)


@given(st.lists(st.text(min_size=1, max_size=30), unique=True, max_size=20))
def test_any_names_give_a_session_each(names: list[str]) -> None:
    found = sessions_from_names(names)
    assert len(found) == len(names)
    assert all(found)


def burn(seconds: float) -> str:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return "done"


def test_a_shared_step_runs_once_and_its_cost_is_shared() -> None:
    stages = Stages()
    asked: list[int] = []

    def work() -> str:
        asked.append(1)
        return burn(0.02)

    stages.begin()
    assert stages.once("slow", work) == "done"
    first = stages.milliseconds()
    stages.begin()
    assert stages.milliseconds() == 0.0
    assert stages.once("slow", work) == "done"
    assert stages.milliseconds() == first >= 20.0
    stages.once("quick", lambda: 1)
    assert stages.milliseconds() > first
    assert len(asked) == 1
