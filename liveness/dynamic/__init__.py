"""The active liveness check: the screen's colours, their reflection on the face, and what it proves.

Three folders, of which only the first is known to the others: ``challenge`` is what is asked of the person,
``measurement`` what the screen's light does on the face, ``movement`` the challenge for light in which that
cannot be measured. What joins them is here: ``meter`` reads a flash while it runs, ``judge`` says what it
proves, and ``combine`` makes one liveness decision of it and the passive signals. ``policy`` has what a
customer may choose, ``model`` the lines of ``flash_model.toml``.
"""
