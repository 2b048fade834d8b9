"""``facegate try``: a server and a page on this machine, for a scan with its own camera.

``site`` serves the page, ``checks`` makes the checks of the person, ``attacks`` those of simulated persons
and attackers, ``verdict`` describes results for the page. ``page`` contains the built page. Its source is
``web/try``; ``make web`` builds it and compares.
"""
