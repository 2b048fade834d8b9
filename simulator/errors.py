"""What can go wrong before a simulated scan starts.

::

    SimulatorError
    ├── PhotoUnusable            the photo shows no face that a head can be built from
    ├── PhotoNotFound            no installed package has the requested photo
    └── SceneSettingsInvalid     a knob is outside its documented range

Once the first frame has been given, nothing is raised any more.
"""

__all__ = ["PhotoNotFound", "PhotoUnusable", "SceneSettingsInvalid", "SimulatorError"]


class SimulatorError(Exception):
    """Root of everything this room raises."""


class PhotoUnusable(SimulatorError):
    """The photo shows no face that a head can be built from."""


class PhotoNotFound(SimulatorError):
    """No installed package carries the photo asked for."""


class SceneSettingsInvalid(SimulatorError):
    """A setting is outside its documented range."""
