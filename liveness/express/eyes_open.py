"""The signal of open eyes."""

import numpy as np

from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed


class EyesOpen:
    """The share of the frames with open eyes. A person who sleeps or is unconscious does not consent."""

    name = "eyes_open"
    label = "Eyes open"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed without dense landmarks."""
        values = [frame.eyes_open for frame in scan.usable if frame.eyes_open is not None]
        if not values:
            return not_assessed(
                name=self.name,
                label=self.label,
                reason="The pack has no eye outlines, or no frame shows a face.",
            )
        share = float(np.mean([value >= settings.eyes_shut_level for value in values]))
        return assessed(
            name=self.name,
            label=self.label,
            score=share,
            detail=f"The eyes are open in {100 * share:.0f} % of the frames.",
        )
