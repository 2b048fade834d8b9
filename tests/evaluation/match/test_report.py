import json

import pytest

from tests.evaluation.match.reports import made_report


def test_the_json_has_every_figure_and_no_person() -> None:
    text = made_report(apart=10).to_json()
    document = json.loads(text)
    assert document["schema"] == 1
    assert document["photos"]["left_out"] == {"without an identity": 3}
    first, second = document["packs"]
    assert [found["name"] for found in first["sets"]] == ["main", "apart"]
    main = first["sets"][0]
    assert (main["persons"], main["person_pairs"]) == (20, 190)
    assert (main["genuine_comparisons"], main["impostor_comparisons"]) == (20, 190 * 4)
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
