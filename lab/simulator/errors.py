"""The errors of the simulator, which occur before a simulated scan starts.

::

    SimulatorError
    ├── PhotoUnusable            the photo shows no face from which a head can be built
    ├── PhotoNotFound            no installed package has the requested photo
    └── SceneSettingsInvalid     a knob is outside its documented range

After the first frame, no error is raised.
"""


class SimulatorError(Exception):
    """Base class of the errors of the simulator."""


class PhotoUnusable(SimulatorError):
    """The photo shows no face from which a head can be built."""


class PhotoNotFound(SimulatorError):
    """No installed package contains the requested photo."""


class SceneSettingsInvalid(SimulatorError):
    """A setting is outside its documented range."""
