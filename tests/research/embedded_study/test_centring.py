import numpy as np
import pytest

from research.embedded_study import centring
from research.embedded_study.centring import Change, changed_cosines
from research.embedded_study.scores import Pairs

PERSONS, PHOTOS, SIZE = 40, 3, 12


def made_up(*, common: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    own = rng.normal(size=(PERSONS, SIZE))
    templates = np.repeat(own, PHOTOS, axis=0) + 0.3 * rng.normal(size=(PERSONS * PHOTOS, SIZE))
    templates[:, 0] += common
    return templates, np.repeat([f"p{index}" for index in range(PERSONS)], PHOTOS)


@pytest.mark.parametrize("change", list(Change))
def test_what_all_templates_share_is_taken_away(change: Change) -> None:
    templates, identities = made_up(common=20.0)
    pairs = Pairs.among(identities)
    unit = templates / np.linalg.norm(templates, axis=1, keepdims=True)
    before = (unit @ unit.T)[pairs.rows, pairs.columns]
    after = changed_cosines(templates, identities, pairs, change, seed=1)
    assert before[~pairs.genuine].mean() > 0.9
    assert abs(after[~pairs.genuine].mean()) < 0.1
    assert after[pairs.genuine].mean() > 0.7


def test_no_score_has_seen_its_own_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    templates, identities = made_up(common=5.0)
    pairs = Pairs.among(identities)
    used: list[set[int]] = []

    def spy(rows: np.ndarray, persons: np.ndarray, change: Change) -> tuple[np.ndarray, np.ndarray]:
        used.append(set(persons.tolist()))
        assert rows.shape[0] == persons.size
        return np.zeros(SIZE), np.eye(SIZE)

    monkeypatch.setattr(centring, "_estimate", spy)
    changed_cosines(templates, identities, pairs, Change.CENTRED, seed=1)
    everybody = set(range(PERSONS))
    left_out = [everybody - persons for persons in used]
    assert all(left_out)
    for one in range(PERSONS):
        for other in range(one, PERSONS):
            assert any({one, other} <= out for out in left_out)
    # Two of eight folds are left out at most, so the rest is enough to estimate from.
    assert max(map(len, left_out)) <= PERSONS / 4
