import json

from evaluation.pad.points import FixedApcer
from evaluation.pad.report import describe_material
from tests.evaluation.pad.reports import made_report
from tests.evaluation.pad.samples import crowd


def test_the_document_has_every_figure_and_shows_no_person() -> None:
    report = made_report()
    text = report.to_json()
    (each,) = json.loads(text)["packs"][0]["sets"]
    network, fusion = each["scorers"]
    result = report.packs[0].sets[0].results[0]
    supported = [point for point in result.points if isinstance(point, FixedApcer)]
    assert [point["supported"] for point in network["points"]].count(True) == len(supported) > 0
    assert network["species"][1]["auc"] == result.species[1].auc
    assert network["no_response"] == {"no face": 1}
    assert network["not_evaluated"] == ["paper mask", "3-D mask"]
    assert network["curve"]["bpcer"][-1] == 1.0
    assert fusion["signals"]["half"]["assessed"] == len(
        crowd(sources=6, persons=4, each=3, species=("a", "b"))
    )
    assert each["conclusion"]["best"] == "net<work>"
    assert each["material"]["left_out"] == 2
    assert ".jpg" not in text
    assert '"p1"' not in text


def test_a_set_is_described_by_its_counts() -> None:
    samples = crowd(sources=1, persons=3, each=2) + crowd(sources=2, persons=1, each=1)[2:]
    found = describe_material("pictures", samples, left_out=0)
    assert (found.files, found.live, dict(found.attacks)) == (14, 7, {"print": 7})
    assert found.largest == ("o0/r", 12 / 14)
    assert (found.sources, found.groups, found.live_groups) == (2, 8, 4)
