"""``facegate``, killed at a step: ``python -m tests.server.crash.armed TARGET CALL MOMENT serve ...``."""

import sys

from cli.main import main
from tests.server.crash.tripwire import Moment, Trip, arm

if __name__ == "__main__":
    target, call, moment, *words = sys.argv[1:]
    arm(Trip(target, int(call), Moment(moment)))
    sys.argv[1:] = words
    main()
