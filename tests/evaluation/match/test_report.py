import json

import pytest

from tests.evaluation.match.reports import made_report


def test_everything_is_in_the_json_and_nobody_is() -> None:
    text = made_report(apart=10).to_json()
    told = json.loads(text)
    assert told["schema"] == 1
    assert told["photos"]["left_out"] == {"without an identity": 3}
    first, second = told["packs"]
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
    assert told["differences"][0]["fnmr"][0]["target"] == 0.1
    # No name of a person, and no template.
    assert "p001" not in text
    assert "embedding" not in text


def test_curves_run_over_the_scores_and_one_way() -> None:
    curve = made_report().packs[0].main
    told = json.loads(made_report().to_json())["packs"][0]["sets"][0]["curve"]
    assert len(told["threshold"]) <= 200
    assert told["threshold"] == sorted(told["threshold"])
    assert told["fmr"][0] == 1.0
    assert told["fmr"] == sorted(told["fmr"], reverse=True)
    assert told["fnmr"] == sorted(told["fnmr"])
    assert told["fnmr"][-1] == pytest.approx(1.0)
    assert min(told["fmr_upper_bound"]) >= float(curve.fmr.upper_bounds[-1]) - 1e-6


def test_where_nobody_has_two_photos_there_is_no_fnmr() -> None:
    told = json.loads(made_report(photos=1).to_json())["packs"][0]["sets"][0]
    assert told["genuine_comparisons"] == 0
    assert "fnmr" not in told["curve"]
    assert told["points"][0]["measured"]["fnmr"] is None
