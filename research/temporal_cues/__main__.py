"""Studies the cues over time: ``python -m research.temporal_cues ASSETS [PACK]``.

The material is live clips, recorded replays and deepfakes, cut into scans, photos presented in five ways, and
simulated scans. All attacks except the recorded ones are rendered, and the lines of the signals were set on
these scans, so that the counts are not error rates.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from evaluation.scans import clip_windows
from liveness.express import ExpressSettings
from liveness.express.blink import Blink
from liveness.express.frozen_frames import FrozenFrames, find_repetition, measure_recurrence
from liveness.express.micro_motion import MicroMotion
from liveness.express.motion_steps import left_over_ratio, motion_steps
from liveness.express.planar_motion import PlanarMotion
from liveness.express.pose_consistency import PoseConsistency, measure_nose
from liveness.express.stillness import Stillness
from liveness.express.surroundings import Surroundings
from research.temporal_cues.repeated import Replay, repeat
from research.temporal_cues.scans import (
    StudyScan,
    observe_study_scan,
    stored_clips,
    study_scans,
)
from research.temporal_cues.tables import Cue, false_alarms, left_out_line, species_table
from vision.packs import Pack, load_pack

_SETTINGS = ExpressSettings()
_REPLAYS = ((Replay.LOOPED, 0.4), (Replay.BACK_AND_FORTH, 0.4), (Replay.BACK_AND_FORTH, 0.6))


def main(assets: Path, pack_name: str) -> None:
    """Print all tables."""
    pack = load_pack(pack_name)
    scans = list(study_scans(assets, pack))
    print(f"pack {pack_name}: {len(scans)} scans\n")
    for cue in _CUES:
        _show(cue, scans)
    _show(_FROZEN, list(_replayed(assets, pack)))
    _show(_FROZEN, list(stored_clips(assets)))


def _show(cue: Cue, scans: list[StudyScan]) -> None:
    for line in species_table(cue, scans):
        print(line)
    if any(scan.species == "live" for scan in scans):
        print(false_alarms(cue, scans))
        if cue.value is not None and cue.live_is_low is not None:
            print(left_out_line(cue, scans))
    print(flush=True)


def _replayed(assets: Path, pack: Pack) -> Iterator[StudyScan]:
    for clip in sorted((assets / "data/video/live").iterdir()):
        window = next(clip_windows(clip, most=1))
        for how, share in _REPLAYS:
            species = f"{how}, {100 * share:.0f} %"
            shown = repeat(window, how, share)
            yield observe_study_scan(f"{species}|{clip.stem}", species, clip.stem, shown, pack)


def _nose(scan: StudyScan) -> float | None:
    found = measure_nose(scan.scan)
    if found is None or found.turned < _SETTINGS.least_turn or found.moved < _SETTINGS.least_motion:
        return None
    return found.evidence


def _recurrence(scan: StudyScan) -> float | None:
    found = measure_recurrence(scan.scan)
    if found is None:
        return None
    return min(found.period_ratio, found.turning_ratio)


def _left_over(scan: StudyScan) -> float | None:
    steps = motion_steps(scan.scan)
    return left_over_ratio(steps) if steps else None


_FROZEN = Cue(
    "frozen_frames",
    lambda scan: FrozenFrames(find_repetition(scan.scan, _SETTINGS)),
    _recurrence,
    live_is_low=False,
)
_CUES = (
    Cue("pose_consistency", lambda _: PoseConsistency(), _nose, live_is_low=False),
    _FROZEN,
    Cue("planar_motion", lambda _: PlanarMotion(), _left_over, live_is_low=False),
    Cue("micro_motion", lambda _: MicroMotion()),
    Cue("blink", lambda _: Blink()),
    Cue("stillness", lambda _: Stillness()),
    Cue("surroundings", lambda _: Surroundings()),
)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "embedded")
