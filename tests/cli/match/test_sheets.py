from cli.report import Sheet
from evaluation.match.evaluation import Difference
from evaluation.match.operating_points import RateInterval
from evaluation.match.reporting import change, interval, percent, rate, sheets
from tests.evaluation.match.reports import made_report


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
