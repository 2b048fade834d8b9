"""``facegate``, killed at a step: ``python -m tests.server.crash.armed TARGET CALL MOMENT serve ...``."""

import sys
from datetime import timedelta

from cli.main import main
from server.storage import events
from tests.server.crash.tripwire import Moment, Trip, arm
from tests.server.process.tuned import tune

if __name__ == "__main__":
    target, call, moment, *words = sys.argv[1:]
    arm(Trip(target, int(call), Moment(moment)))
    # Another server takes over an event after a minute; tests have not so much time.
    events._CLAIM = timedelta(seconds=1)  # type: ignore[misc]
    tune(2.0)
    sys.argv[1:] = words
    main()
