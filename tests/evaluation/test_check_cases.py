"""Cases are made from manifests."""

from pathlib import Path

from evaluation.check_cases import (
    CaseKind,
    ClipCase,
    clip_cases,
    portrait_frames,
    scan_frames,
)
from tests.whole_checks.cases import kinds, photo_cases


def _manifest(folder: Path, header: str, rows: list[str]) -> None:
    (folder / "manifest.csv").write_text("\n".join([header, *rows]) + "\n")


def test_clip_cases(tmp_path: Path) -> None:
    rows = [f"live/{name}.mp4,live," for name in "abcd"] + ["spoof/x.mp4,spoof,screen"]
    _manifest(tmp_path, "file,label,attack_type", rows)
    cases = clip_cases(tmp_path)
    genuine = [case for case in cases if case.kind is CaseKind.GENUINE_CLIP]
    impostors = [case for case in cases if case.kind is CaseKind.IMPOSTOR_CLIP]
    assert [case.scan.name for case in genuine] == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    assert all(case.portrait == case.scan for case in genuine)
    assert all(case.portrait != case.scan for case in impostors)
    assert cases[-1] == ClipCase(
        CaseKind.ATTACK_CLIP, tmp_path / "spoof/x.mp4", tmp_path / "spoof/x.mp4", "screen"
    )
    assert kinds(cases) == [CaseKind.GENUINE_CLIP, CaseKind.IMPOSTOR_CLIP, CaseKind.ATTACK_CLIP]


def test_photo_cases_take_people_with_two_large_photos(tmp_path: Path) -> None:
    rows = [
        "a1.jpg,anna,300,1",
        "a2.jpg,anna,250,1",
        "b1.jpg,bela,300,1",
        "b2.jpg,bela,100,1",
        "c1.jpg,cleo,300,1",
        "c2.jpg,cleo,300,0",
        "d1.jpg,dora,210,1",
        "d2.jpg,dora,220,1",
        "e1.jpg,,300,1",
    ]
    _manifest(tmp_path, "file,identity,face_w_px,usable", rows)
    cases = photo_cases(tmp_path, least_face_width=200, people=5)
    assert [(case.kind, case.portrait.name, case.scan.name) for case in cases] == [
        (CaseKind.GENUINE_PHOTO, "a1.jpg", "a2.jpg"),
        (CaseKind.GENUINE_PHOTO, "d1.jpg", "d2.jpg"),
        (CaseKind.IMPOSTOR_PHOTO, "a1.jpg", "d2.jpg"),
        (CaseKind.IMPOSTOR_PHOTO, "d1.jpg", "a2.jpg"),
    ]


def test_portrait_and_scan_are_of_different_moments(assets: Path) -> None:
    clip = assets / "data/video/live/quentin-csg__videos__real.mp4"
    first_portrait = next(portrait_frames(clip))
    image, time = next(scan_frames(clip))
    assert time >= 1.0
    assert image.shape == first_portrait.shape
    assert (image != first_portrait).any()
