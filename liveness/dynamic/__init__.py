"""Active liveness: the screen shows colours, and their reflection on the face is measured and judged.

It has three packages, of which only the first is imported by the others: ``challenge`` runs the flash,
``measurement`` measures the screen's light on the face, and ``movement`` is the challenge for light in which
the flash cannot be measured. The modules here join them: ``meter`` measures a flash while it runs, ``judge``
judges it, and ``combine`` combines its finding with the passive signals. ``policy`` has the customer's
settings, and ``model`` the lines of ``flash_model.toml``.
"""

from liveness.dynamic.judge import FlashResult
from liveness.dynamic.meter import FlashMeter
from liveness.dynamic.model import FlashModel, load_flash_model
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.sample import FlashSample

__all__ = [
    "DynamicPolicy",
    "FlashMeter",
    "FlashModel",
    "FlashResult",
    "FlashSample",
    "load_flash_model",
]
