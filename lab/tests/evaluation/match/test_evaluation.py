"""A whole evaluation, and its report and charts."""

import io
import json
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from formats.errors import ImageFault
from lab.evaluation import Sheet
from lab.evaluation.drawing import EvaluationUnavailable, require_evaluation
from lab.evaluation.match.charts import det_chart, draw_charts
from lab.evaluation.match.comparisons import MOST_TEMPLATES, Comparisons
from lab.evaluation.match.duplicates import SuspectedPair
from lab.evaluation.match.evaluation import (
    MAIN_SET,
    SEPARATE_SET,
    Bootstrap,
    SetResult,
    differences,
    evaluate_sets,
)
from lab.evaluation.match.groups import GroupResult, evaluate_groups, group_photos
from lab.evaluation.match.measuring import acquired as with_a_template
from lab.evaluation.match.measuring import embed_with_progress
from lab.evaluation.match.operating_points import FmrAt, NotSupported, Promise, promise_of
from lab.evaluation.match.photos import (
    FacePhoto,
    NothingToMeasure,
    PhotoListError,
    read_corrections,
    read_picture,
)
from lab.evaluation.match.portrait_rates import PortraitResult, evaluate_portraits
from lab.evaluation.match.report import SUSPECTED, describe, histogram_counts, sheets, suspected_files
from lab.evaluation.match.templates import AcquisitionFault, Degradation, TemplateRun
from lab.report import render_page
from lab.tests.evaluation.match.reports import crowd, made_report
from lab.tests.evaluation.samples import burning_pack
from matcher.persons import PHOTO_SUBJECT
from vision.errors import ImageError

BOOTSTRAP = Bootstrap(resamples=300, confidence=0.95, seed=1)


def main_of(comparisons: Comparisons) -> SetResult:
    return evaluate_sets(comparisons, BOOTSTRAP)[0]


def test_sets_have_thresholds_and_persons_of_their_own() -> None:
    _, comparisons = crowd(persons=30, photos=3, seed=1, apart=12)
    main, apart = evaluate_sets(comparisons, BOOTSTRAP)
    assert (main.name, apart.name) == (MAIN_SET, SEPARATE_SET)
    assert (main.comparisons.identities, apart.comparisons.identities) == (18, 12)
    assert main.fmr.person_pairs == 18 * 17 // 2
    assert apart.fmr.person_pairs == 12 * 11 // 2
    # Alone they have the same figures as with the others.
    kept = main.comparisons
    assert np.array_equal(main_of(kept).fmr.upper_bounds, main.fmr.upper_bounds)


def test_points_end_with_the_first_that_is_not_supported() -> None:
    result = main_of(crowd(persons=30, photos=2, seed=1)[1])
    assert [point.target for point in result.points] == [0.1, 0.01, 0.001]
    assert isinstance(result.points[-1], NotSupported)
    assert [point.target for point in result.supported] == [0.1, 0.01]


def test_one_person_in_the_main_set_is_too_few() -> None:
    _, comparisons = crowd(persons=4, photos=2, seed=1, apart=3)
    with pytest.raises(NothingToMeasure, match="at least two"):
        evaluate_sets(comparisons, BOOTSTRAP)


def photos(*values: str) -> list[FacePhoto]:
    return [FacePhoto(Path(f"{n}.jpg"), f"p{n}", False, {"sex": value}) for n, value in enumerate(values)]


def test_groups_are_the_values_of_a_column() -> None:
    groups = group_photos(photos("f", "m", "f", ""), ["sex"], known=("file", "identity", "sex"))
    assert {key: mask.tolist() for key, mask in groups.items()} == {
        ("sex", ""): [False, False, False, True],
        ("sex", "f"): [True, False, True, False],
        ("sex", "m"): [False, True, False, False],
    }


def test_columns_that_cannot_name_groups_are_refused() -> None:
    with pytest.raises(PhotoListError, match="the manifest has file, sex"):
        group_photos(photos("f"), ["age"], known=("file", "sex"))
    with pytest.raises(PhotoListError, match=r"groups need a manifest\.csv"):
        group_photos(photos("f"), ["sex"], known=())
    with pytest.raises(PhotoListError, match="names 41 groups"):
        group_photos(photos(*(str(n) for n in range(41))), ["sex"], known=("sex",))


def test_groups_are_reported_at_the_thresholds_of_all() -> None:
    failing = (0, 40)
    run, comparisons = crowd(persons=30, photos=3, seed=5, spread=0.9, failing=failing)
    main = main_of(comparisons)
    masks = {}
    for number, value in enumerate(("odd", "even")):
        masks["kind", value] = (np.arange(run.photos) // 3) % 2 != number
    masks["kind", "one"] = np.arange(run.photos) < 3
    odd, even, one, pooled = evaluate_groups(
        comparisons, groups=masks, failed=failing, main=main, calibrated=(), bootstrap=BOOTSTRAP
    )
    assert (pooled.pooled, pooled.value, pooled.photos) == (True, "", 90)
    for group in (odd, even):
        assert (group.persons, group.photos) == (15, 45)
        assert group.impostors < main.fmr.comparisons / 3
        assert [rates.threshold for rates in group.rates] == [p.measured.threshold for p in main.supported]
        # Fewer persons, wider bounds.
        assert group.lowest_bound > main.fmr.upper_bounds[-1]
    assert (odd.failures, even.failures) == (1, 1)
    assert (one.failures, one.persons, one.impostors, one.rates) == (1, 1, 0, ())


def acquired(photos: int, failing: tuple[int, ...]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found = np.ones(photos, dtype=np.bool_)
    found[list(failing)] = False
    return found


def test_a_worse_pack_is_seen_to_be_worse_on_the_same_comparisons() -> None:
    _, good = crowd(persons=40, photos=3, seed=7, spread=0.8, failing=(1,))
    _, bad = crowd(persons=40, photos=3, seed=7, spread=1.6, failing=(5, 9))
    all_acquired = (acquired(120, (5, 9)), acquired(120, (1,)))
    found = differences(bad, good, acquired=all_acquired, bootstrap=BOOTSTRAP)
    assert [each.target for each in found] == [0.1, 0.01]
    for each in found:
        assert each.change > 0
        assert each.lower > 0
        assert each.lower <= each.change <= each.upper
        # Three photos are missing on one side or the other.
        assert each.genuine == 40 * 3 - 3 * 2
        assert (each.only_first, each.only_second) == (1, 2)
    # In the other order the sign is reversed.
    other = differences(good, bad, acquired=all_acquired[::-1], bootstrap=BOOTSTRAP)
    assert [-each.change for each in other] == pytest.approx([each.change for each in found])


def test_a_pack_does_not_differ_from_itself_and_that_proves_little() -> None:
    _, same = crowd(persons=30, photos=2, seed=8)
    found = differences(same, same, acquired=(acquired(60, ()),) * 2, bootstrap=BOOTSTRAP)
    assert found
    for each in found:
        assert each.change == 0.0
        assert each.lower < -0.05
        assert each.upper > 0.05


def test_without_two_photos_of_anybody_there_is_no_difference_to_tell() -> None:
    _, same = crowd(persons=30, photos=1, seed=9)
    assert differences(same, same, acquired=(acquired(30, ()),) * 2, bootstrap=BOOTSTRAP) == ()


@pytest.mark.parametrize(
    ("lower", "fmr", "upper", "lowest", "expected"),
    [
        (0.0, 0.005, 0.01, 0.001, Promise.KEPT),
        (0.0, 0.005, 0.02, 0.001, Promise.NOT_SHOWN),
        (0.005, 0.02, 0.03, 0.001, Promise.ABOVE),
        (0.011, 0.02, 0.03, 0.001, Promise.BROKEN),
        (0.0, 0.0, 0.02, 0.02, Promise.NOT_SUPPORTED),
        # Few persons cannot show that a promise is kept, but many matches show that it is broken.
        (0.1, 0.3, 0.6, 0.02, Promise.BROKEN),
    ],
)
def test_whether_a_promise_is_kept(
    lower: float, fmr: float, upper: float, lowest: float, expected: Promise
) -> None:
    found = FmrAt(0.3, fmr, upper, lower, None)
    assert promise_of(0.01, found, lowest_bound=lowest) is expected


def grouped(*, cosine: float, target: float) -> tuple[GroupResult, ...]:
    run, comparisons = crowd(persons=40, photos=2, seed=6, spread=0.8)
    odd = (np.arange(run.photos) // 2) % 2 == 1
    return evaluate_groups(
        comparisons,
        groups={("kind", "even"): ~odd, ("kind", "odd"): odd},
        failed=(),
        main=main_of(comparisons),
        calibrated=[(target, cosine)],
        bootstrap=BOOTSTRAP,
    )


def test_a_broken_promise_is_named_with_its_group() -> None:
    found = grouped(cosine=0.0, target=0.1)
    assert [(group.value, group.pooled) for group in found] == [("even", False), ("odd", False), ("", True)]
    for group in found:
        (broken,) = group.broken
        assert broken.target == 0.1
        assert broken.rates.lower_bound > 0.1


def test_what_few_persons_cannot_show_is_not_supported() -> None:
    even, odd, pooled = grouped(cosine=0.9, target=0.01)
    assert even.promises[0].promise is odd.promises[0].promise is Promise.NOT_SUPPORTED
    # 2 times 190 pairs of persons support what 190 do not.
    assert pooled.lowest_bound < 0.01 < even.lowest_bound
    assert pooled.promises[0].promise is Promise.KEPT
    assert pooled.broken == ()


def test_pooled_comparisons_are_those_within_each_group() -> None:
    even, odd, pooled = grouped(cosine=0.5, target=0.1)
    assert pooled.impostors == even.impostors + odd.impostors
    assert pooled.genuine == even.genuine + odd.genuine
    assert pooled.persons == 40


def test_a_person_in_two_groups_is_not_compared_across_them() -> None:
    run, comparisons = crowd(persons=10, photos=2, seed=6)
    within = comparisons.within(np.arange(run.photos) % 2)
    assert within.identities == 20
    assert within.same.cosines.size == 0
    assert within.impostors.comparisons == 2 * 10 * 9 // 2


def result(*, noise: float) -> PortraitResult:
    run, comparisons = crowd(persons=40, photos=2, seed=3, spread=0.8)
    rng = np.random.default_rng(5)
    degraded = []
    for each in run.templates[1:]:
        vector = each.embedding + noise * rng.normal(size=each.embedding.size) / 5.0
        degraded.append(replace(each, embedding=(vector / np.linalg.norm(vector)).astype(np.float32)))
    portraits = TemplateRun(templates=tuple(degraded), photos=80, faults={0: AcquisitionFault.NO_FACE})
    return evaluate_portraits(
        Degradation.GREY,
        portraits,
        main=main_of(comparisons),
        calibrated=[(0.05, 0.3)],
        confidence=0.95,
    )


def test_portraits_like_their_photos_have_their_rates() -> None:
    found = result(noise=0.0)
    assert (found.portraits, found.failures) == (80, 1)
    # Each portrait with the other photo of its person; one portrait has failed.
    assert (found.genuine, found.persons, found.impostors) == (79, 40, 79 * 78)
    assert [(rates.target, rates.calibrated) for rates in found.rates] == [
        (0.1, False),
        (0.01, False),
        (0.05, True),
    ]
    for rates in found.rates:
        assert rates.fnmr is not None
        assert rates.plain is not None
        assert rates.fnmr.rate == pytest.approx(rates.plain.rate, abs=0.02)
    assert found.rates[0].fmr == pytest.approx(0.1, abs=0.01)


def test_worse_portraits_are_missed_more_often() -> None:
    for good, bad in zip(result(noise=0.0).rates, result(noise=1.5).rates, strict=True):
        assert good.fnmr is not None
        assert bad.fnmr is not None
        assert bad.fnmr.rate > good.fnmr.rate + 0.1
        assert bad.fnmr.lower <= bad.fnmr.rate <= bad.fnmr.upper
        assert bad.threshold == good.threshold


def test_the_json_has_every_figure_and_no_person() -> None:
    text = made_report(apart=10).to_json()
    document = json.loads(text)
    assert document["schema"] == 1
    assert document["photos"]["left_out"] == {"without an identity": 3}
    first, second = document["packs"]
    assert [found["name"] for found in first["sets"]] == ["main", "apart"]
    main = first["sets"][0]
    assert (main["persons"], main["person_pairs"]) == (20, 190)
    assert [point["supported"] for point in main["points"]] == [True, False]
    assert main["points"][0]["measured"]["fnmr"]["upper"] > 0
    assert main["points"][1]["persons_needed"] == 26
    assert sum(main["histogram"]["genuine"]) == 20
    assert sum(main["histogram"]["impostor"]) == 190 * 4
    assert len(main["histogram"]["edges"]) == len(main["histogram"]["genuine"]) + 1
    assert first["failures_to_acquire"] == {
        "photos": 61,
        "failures": 1,
        "rate": pytest.approx(1 / 61),
        "reasons": {"no face": 1},
    }
    assert {(group["column"], group["value"]) for group in second["groups"]} == {("sex", "<f>"), ("sex", "")}
    assert document["differences"][0]["fnmr"][0]["target"] == 0.1
    # No name of a person, and no template.
    assert "p001" not in text
    assert "embedding" not in text


def test_curves_run_over_the_scores_and_one_way() -> None:
    curve = made_report().packs[0].main
    document = json.loads(made_report().to_json())["packs"][0]["sets"][0]["curve"]
    assert len(document["threshold"]) <= 200
    assert document["threshold"] == sorted(document["threshold"])
    assert document["fmr"][0] == 1.0
    assert document["fmr"] == sorted(document["fmr"], reverse=True)
    assert document["fnmr"] == sorted(document["fnmr"])
    assert document["fnmr"][-1] == pytest.approx(1.0)
    assert min(document["fmr_upper_bound"]) >= float(curve.fmr.upper_bounds[-1]) - 1e-6


def test_without_pairs_of_one_person_there_is_no_fnmr() -> None:
    document = json.loads(made_report(photos=1).to_json())["packs"][0]["sets"][0]
    assert document["genuine_comparisons"] == 0
    assert "fnmr" not in document["curve"]
    assert document["points"][0]["measured"]["fnmr"] is None


BLUE = (178, 114, 0)
"""The first curve's colour in OpenCV's order."""


def picture(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    assert png.startswith(b"\x89PNG")
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels.astype(np.uint8)


def coloured(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> int:
    return int((np.abs(pixels.astype(int) - BLUE).max(axis=2) < 12).sum())


def test_a_det_chart_shows_each_pack_and_is_the_same_again() -> None:
    pytest.importorskip("matplotlib")
    report = made_report()
    both, one = det_chart(report.of_set("main"), title="t"), det_chart(report.of_set("main")[1:], title="t")
    assert coloured(picture(both)) > 300
    assert both == det_chart(report.of_set("main"), title="t")
    assert both != one


def test_each_comparison_is_in_one_bin() -> None:
    (_, result), _ = made_report().of_set("main")
    edges, genuine, impostors = histogram_counts(result)
    assert genuine.sum() == result.comparisons.same.cosines.size
    assert impostors.sum() == result.comparisons.impostors.comparisons
    cosines = np.concatenate([result.comparisons.same.cosines, result.comparisons.impostors.scores])
    assert 0 <= cosines.min() - edges[0] < 0.001
    assert 0 <= edges[-1] - cosines.max() <= 0.001


@pytest.mark.parametrize("library", ["matplotlib", "scipy"])
def test_without_a_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    require_evaluation()
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(EvaluationUnavailable, match="make install EXTRAS=evaluation"):
        require_evaluation()


RAMP = (np.arange(30 * 20 * 3) % 251).astype(np.uint8).reshape(30, 20, 3)


@pytest.mark.parametrize(("suffix", "stored"), [(".pgm", RAMP[:, :, 0]), (".ppm", RAMP)])
def test_netpbm_files_are_read_as_opencv_reads_them(
    tmp_path: Path, suffix: str, stored: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    file = tmp_path / f"photo{suffix}"
    assert cv2.imwrite(str(file), stored)
    np.testing.assert_array_equal(
        read_picture(file, still_decoder=None), cv2.imread(str(file), cv2.IMREAD_COLOR)
    )


def test_a_comment_in_the_header_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "photo.pgm"
    file.write_bytes(b"P5\n# made by hand\n2 # width\n1\n255\n\x00\xff")
    assert read_picture(file, still_decoder=None).tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"P5 20 30 255\nshort", ImageFault.MALFORMED),
        (b"P5 0 30 255\n", ImageFault.MALFORMED),
        (b"P5 2 1 65535\n" + bytes(4), ImageFault.MALFORMED),
        (b"P5 60000 60000 255\n", ImageFault.TOO_MANY_PIXELS),
        (b"no picture", ImageFault.UNSUPPORTED_FORMAT),
        (b"", ImageFault.EMPTY),
        (b"RIFF\x00\x00\x00\x00WEBPVP8L" + bytes(30), ImageFault.MALFORMED),
    ],
)
def test_anything_but_an_image_is_refused(tmp_path: Path, content: bytes, fault: ImageFault) -> None:
    file = tmp_path / "photo"
    file.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_picture(file, still_decoder=None)
    assert caught.value.reason is fault


@given(st.binary(max_size=60))
def test_any_header_gives_a_picture_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("netpbm") / "photo"
    file.write_bytes(b"P5 " + content)
    try:
        picture = read_picture(file, still_decoder=None)
    except ImageError:
        return
    assert picture.ndim == 3


def test_formats_that_need_it_go_through_the_isolated_decoder(tmp_path: Path) -> None:
    photos = []
    for name, kind in (("one.jpg", "WEBP"), ("two.png", "PNG")):
        Image.new("RGB", (64, 64), (90, 120, 150)).save(tmp_path / name, kind)
        photos.append(FacePhoto(tmp_path / name, name, apart=False))
    (tmp_path / "three.jpg").write_bytes(b"none")
    photos.append(FacePhoto(tmp_path / "three.jpg", "three", apart=False))
    photos.append(FacePhoto(tmp_path / "gone.jpg", "gone", apart=False))
    stream = io.StringIO()
    console = Console(file=stream, width=200)
    (run,) = embed_with_progress(
        photos, packs=[burning_pack()], subject=PHOTO_SUBJECT, workers=2, console=console
    )
    assert [template.identity for template in run.templates] == ["one.jpg", "two.png"]
    np.testing.assert_array_equal(with_a_template(run), [True, True, False, False])
    assert "2 files cannot be read as images: three.jpg, gone.jpg" in stream.getvalue()


def test_more_photos_than_can_be_compared_are_refused_before_any_is_read(tmp_path: Path) -> None:
    photos = [FacePhoto(tmp_path / "none.jpg", "one", apart=False)] * (MOST_TEMPLATES + 1)
    with pytest.raises(NothingToMeasure, match="too many to measure at once"):
        embed_with_progress(
            photos, packs=[], subject=PHOTO_SUBJECT, workers=1, console=Console(file=io.StringIO())
        )


def titled(**options: int) -> dict[str, Sheet]:
    return {sheet.title: sheet for sheet in sheets(made_report(**options))}


def test_each_sheet_is_there_with_as_many_cells_as_columns() -> None:
    titles = titled(apart=10)
    assert list(titles) == [
        "Photos to templates",
        "FNMR at a measured FMR",
        "FNMR at a bound on FMR",
        "FNMR at a measured FMR, photos measured separately",
        "FNMR at a bound on FMR, photos measured separately",
        "The pack's own calibration on these photos",
        "Differences to open:DIR on the same comparisons",
        "Groups by sex, open:DIR",
        "Groups by sex, embedded",
        "The pack's own calibration in groups by sex, open:DIR",
        "The pack's own calibration in groups by sex, embedded",
    ]
    for sheet in titles.values():
        assert sheet.rows
        assert {len(row) for row in sheet.rows} == {len(sheet.columns)}


def test_failures_and_time_are_reported() -> None:
    first, second = titled()["Photos to templates"].rows
    assert first == ("open:DIR", "1 of 61 (1.6 %)", "1 no face", "5.0", "1.00")
    assert second[0] == "embedded"


def test_the_rows_of_rates_are_those_that_the_data_support() -> None:
    sheet = titled()["FNMR at a bound on FMR"]
    assert [(row[0], row[1]) for row in sheet.rows] == [
        (pack, target) for pack in ("open:DIR", "embedded") for target in ("0.1", "0.01")
    ]
    assert all("0.001: not supported by these data" in note for note in sheet.notes)


def test_every_figure_is_described_and_text_is_escaped() -> None:
    page = render_page(describe(made_report()), [])
    assert (
        "not supported by these data (needs about 79 persons, all compared with all: 3,081 pairs of persons)"
        in page
    )
    assert "&lt;f&gt;" in page
    assert "<f>" not in page
    assert "(empty)" in page
    assert "for evaluation only" in page
    assert "3 without an identity" in page
    assert not re.search(r"\{[a-z]+\}", page)
    assert "p001" not in page


def test_a_chart_names_its_photos() -> None:
    charts = {chart.name: chart for chart in draw_charts(made_report(apart=10))}
    assert list(charts) == ["det", "scores", "det_apart", "scores_apart"]
    assert "Photos measured apart." in charts["scores_apart"].caption
    assert "Photos measured" not in charts["det"].caption
    assert charts["det"].png.startswith(b"\x89PNG")


def test_the_names_are_a_corrections_file(tmp_path: Path) -> None:
    report = made_report()
    pair = SuspectedPair(('a"x', "b"), (0, 1), (0, 1), cosine=0.91, expected=0.01)
    packs = (replace(report.packs[0], suspected=(pair,)), *report.packs[1:])
    photos = [FacePhoto(tmp_path / f"{name}.jpg", name, apart=False) for name in ('a"x', "b")]
    assert suspected_files(report, photos) == {}
    files = suspected_files(replace(report, packs=packs), photos)
    (tmp_path / SUSPECTED).write_bytes(files[SUSPECTED])
    assert read_corrections(tmp_path / SUSPECTED).unsure == {frozenset({'a"x', "b"})}
    (entry,) = tomllib.loads(files[SUSPECTED].decode())["unsure"]
    assert entry["reason"] == 'a"x.jpg and b.jpg: cosine 0.910 with open:DIR'
    assert str(tmp_path) not in files[SUSPECTED].decode()
