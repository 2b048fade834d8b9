"""The signal of a head that faces the camera."""

import numpy as np

from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed


class HeadPoseSignal:
    """The median yaw and pitch over the scan. The score is 1 if frontal, 0.5 at the limit, 0 at twice it."""

    name = "head_pose"
    label = "Looks at the camera"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        poses = [frame.pose for frame in scan.usable if frame.pose is not None]
        if not poses:
            return not_assessed(name=self.name, label=self.label, reason="No frame shows exactly one face.")
        yaw = float(np.median([abs(pose.yaw) for pose in poses]))
        pitch = float(np.median([abs(pose.pitch) for pose in poses]))
        worst = max(yaw / settings.largest_yaw, pitch / settings.largest_pitch)
        return assessed(
            name=self.name,
            label=self.label,
            score=1 - worst / 2,
            detail=f"The head is turned by {yaw:.0f} and tilted by {pitch:.0f} degrees.",
        )
