"""The signal of the face's sharpness."""

import numpy as np

from liveness.express.scoring import score_against_line
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_STEEPNESS = 1.5
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class Sharpness:
    """The median sharpness of the face over the scan. Small prints and recaptured screens are soft."""

    name = "sharpness"
    label = "Sharp"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        values = [frame.sharpness for frame in scan.usable if frame.sharpness is not None]
        if not values:
            return not_assessed(name=self.name, label=self.label, reason="No frame shows exactly one face.")
        typical = float(np.median(values))
        return assessed(
            name=self.name,
            label=self.label,
            score=score_against_line(typical, settings.sharpness_line, _STEEPNESS),
            detail=f"Sharpness of the face {typical:.0f}; {settings.sharpness_line:.0f} is enough.",
        )
