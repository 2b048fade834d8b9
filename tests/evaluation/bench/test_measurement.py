import json

import pytest

from evaluation.bench import Measurement, NothingMeasured


def measured(*values: float) -> Measurement:
    return Measurement(
        pack="embedded", name="a figure", load="1 scan", unit="ms", meaning="What it is.", values=values
    )


@pytest.mark.parametrize(("values", "median"), [((3.0,), 3.0), ((3.0, 1.0), 2.0), ((9.0, 1.0, 2.0), 2.0)])
def test_least_median_and_most(values: tuple[float, ...], median: float) -> None:
    figure = measured(*values)
    assert (figure.least, figure.median, figure.most) == (min(values), median, max(values))


def test_a_figure_without_a_value_is_none() -> None:
    with pytest.raises(NothingMeasured, match="a figure"):
        measured()


def test_it_is_json_with_every_value() -> None:
    told = json.loads(json.dumps(measured(2.0, 1.0).to_json()))
    assert told["values"] == [2.0, 1.0]
    assert (told["min"], told["median"], told["max"]) == (1.0, 1.5, 2.0)
