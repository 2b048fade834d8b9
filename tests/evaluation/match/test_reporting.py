"""What ``facegate evaluate match`` measures and reports."""

import io
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from cli.report import render_page
from evaluation import Chart, Sheet
from evaluation.match.comparisons import MOST_TEMPLATES
from evaluation.match.duplicates import SuspectedPair
from evaluation.match.evaluation import Difference
from evaluation.match.measuring import acquired, embed_with_progress
from evaluation.match.operating_points import RateInterval
from evaluation.match.photos import FacePhoto, NothingToMeasure, read_corrections
from evaluation.match.reporting import (
    SUSPECTED,
    change,
    describe,
    draw_charts,
    interval,
    percent,
    rate,
    sheets,
    suspected_files,
)
from matcher.persons import PHOTO_SUBJECT
from tests.evaluation.bench.packs import burning_pack
from tests.evaluation.match.reports import made_report
from tests.server.pages.reading import Page


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
    np.testing.assert_array_equal(acquired(run), [True, True, False, False])
    assert "2 files cannot be read as images: three.jpg, gone.jpg" in stream.getvalue()


def test_more_photos_than_can_be_compared_are_refused_before_any_is_read(tmp_path: Path) -> None:
    photos = [FacePhoto(tmp_path / "none.jpg", "one", apart=False)] * (MOST_TEMPLATES + 1)
    with pytest.raises(NothingToMeasure, match="too many to measure at once"):
        embed_with_progress(
            photos, packs=[], subject=PHOTO_SUBJECT, workers=1, console=Console(file=io.StringIO())
        )


def found(**options: int) -> dict[str, Sheet]:
    return {sheet.title: sheet for sheet in sheets(made_report(**options))}


def test_each_sheet_is_there_with_as_many_cells_as_columns() -> None:
    titles = found(apart=10)
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
    first, second = found()["Photos to templates"].rows
    assert first == ("open:DIR", "1 of 61 (1.6 %)", "1 no face", "5.0", "1.00")
    assert second[0] == "embedded"


def test_the_rows_of_rates_are_those_that_the_data_support() -> None:
    sheet = found()["FNMR at a bound on FMR"]
    assert [(row[0], row[1]) for row in sheet.rows] == [
        (pack, target) for pack in ("open:DIR", "embedded") for target in ("0.1", "0.01")
    ]
    assert all("0.001: not supported by these data" in note for note in sheet.notes)


def test_figures_in_words() -> None:
    assert [rate(value) for value in (0.0, 0.0123, 1e-10)] == ["0", "1.2e-2", "1.0e-10"]
    assert [percent(value) for value in (0.0, 0.0038, 0.123, 1.0)] == ["0.0 %", "0.38 %", "12.3 %", "100.0 %"]
    assert interval(RateInterval(0.0038, 0.0, 0.17)) == "0.38 [0.0, 17.0]"
    assert interval(None) == "no pairs"
    difference = Difference(0.1, -0.012, -0.03, 0.004, 10, 20, 0, 0)
    assert change(difference) == "-1.2 [-3.0, +0.4]"


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    chart = Chart(name="det", png=b"PNG", caption="a <b>")
    page = Page(render_page(describe(made_report(apart=10)), [chart]))
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert [link.partition(",")[0] for link in page.links] == ["data:image/png;base64"]
    assert "default-src 'none'" in page.source
    assert "://" not in page.source


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


def test_no_person_is_shown() -> None:
    assert "p001" not in render_page(describe(made_report()), [])


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
    files = suspected_files(replace(report, packs=packs), photos)
    (tmp_path / SUSPECTED).write_bytes(files[SUSPECTED])
    assert read_corrections(tmp_path / SUSPECTED).unsure == {frozenset({'a"x', "b"})}
    (entry,) = tomllib.loads(files[SUSPECTED].decode())["unsure"]
    assert entry["reason"] == 'a"x.jpg and b.jpg: cosine 0.910 with open:DIR'
    assert str(tmp_path) not in files[SUSPECTED].decode()


def test_without_a_suspicion_there_is_no_file() -> None:
    assert suspected_files(made_report(), ()) == {}
