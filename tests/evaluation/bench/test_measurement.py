import json

import pytest

from evaluation.bench import Measurement, NothingMeasured


def measured(*values: float) -> Measurement:
    return Measurement(
        pack="embedded", name="a figure", load="1 scan", unit="ms", meaning="What it is.", values=values
    )


@pytest.mark.parametrize(("values", "median"), [((3.0,), 3.0), ((3.0, 1.0), 2.0), ((9.0, 1.0, 2.0), 2.0)])
def test_least_median_and_most_are_computed(values: tuple[float, ...], median: float) -> None:
    figure = measured(*values)
    assert (figure.least, figure.median, figure.most) == (min(values), median, max(values))


def test_a_figure_without_a_value_stays_empty() -> None:
    with pytest.raises(NothingMeasured, match="a figure"):
        measured()


def test_the_json_contains_every_value() -> None:
    document = json.loads(json.dumps(measured(2.0, 1.0).to_json()))
    assert document["values"] == [2.0, 1.0]
    assert (document["min"], document["median"], document["max"]) == (1.0, 1.5, 2.0)
