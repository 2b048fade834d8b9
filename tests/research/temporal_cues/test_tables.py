from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed
from research.temporal_cues.scans import StudyScan
from research.temporal_cues.tables import Cue, false_alarms, left_out_line, species_table
from tests.liveness.builders import scan


class _Fixed:
    name = "fixed"
    label = "Fixed"

    def __init__(self, score: float | None) -> None:
        self._score = score

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        if self._score is None:
            return not_assessed(name=self.name, label=self.label, reason="")
        return assessed(name=self.name, label=self.label, score=self._score, detail="")


_SCORES = {"a#0": 0.5, "a#1": 0.4, "b#0": 0.7, "c#0": None, "x": 0.1, "y": 0.2}
_VALUES = {"a#0": 1.0, "a#1": 3.0, "b#0": 1.5, "c#0": None, "x": 5.0, "y": 6.0}
_CUE = Cue("fixed", lambda scan: _Fixed(_SCORES[scan.name]), lambda scan: _VALUES[scan.name])


def _study() -> list[StudyScan]:
    return [
        StudyScan(name, "live" if "#" in name else "print", name.split("#")[0], scan()) for name in _SCORES
    ]


def test_species_are_counted_apart() -> None:
    title, _, live, attack = species_table(_CUE, _study())
    assert title == "fixed"
    assert live.split()[:5] == ["live", "4", "3", "1", "1"]
    assert attack.split()[:5] == ["print", "2", "2", "2", "0"]
    assert [float(value) for value in attack.split()[5:]] == [5.0, 5.1, 5.5, 5.9, 6.0]


def test_false_alarms_are_named() -> None:
    assert false_alarms(_CUE, _study()) == "  false alarms: 1 of 4 live scans, 1 of 3 clips: a#1"


def test_a_source_is_compared_with_the_worst_of_the_others() -> None:
    assert left_out_line(_CUE, _study()) == "  source left out: 1 of 3 live scans: a#1 3.00 beyond 1.50"
    upwards = Cue(_CUE.name, _CUE.signal, _CUE.value, live_is_low=False)
    assert left_out_line(upwards, _study()) == "  source left out: 1 of 3 live scans: a#0 1.00 beyond 1.50"
