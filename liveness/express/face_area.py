"""The signal of the face's size in the frame: neither too small nor too large."""

import numpy as np

from liveness.express.scoring import score_against_line
from liveness.express.settings import ExpressSettings
from liveness.extent import face_extent
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_STEEPNESS = 3.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class FaceArea:
    """The median share of the frame that the face fills. In a recaptured photo the face is small."""

    name = "face_area"
    label = "Face fills the frame"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        shares = []
        for frame in scan.usable:
            if frame.face is not None:
                extent = face_extent(frame.face)
                shares.append(extent.width * extent.height / (frame.width * frame.height))
        if not shares:
            return not_assessed(name=self.name, label=self.label, reason="No frame shows exactly one face.")
        share = float(np.median(shares))
        large_enough = score_against_line(share, settings.smallest_area, _STEEPNESS)
        small_enough = 1 - score_against_line(share, settings.largest_area, _STEEPNESS)
        return assessed(
            name=self.name,
            label=self.label,
            score=min(large_enough, small_enough),
            detail=f"The face fills {100 * share:.0f} % of the frame.",
        )
