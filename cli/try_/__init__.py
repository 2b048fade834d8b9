"""``facegate try``: a server and a page on this machine, for a scan with its own camera.

``site`` serves the page and its JSON interface, and ``guard`` keeps other pages out. ``checks`` makes the
checks of the person, ``portraits`` turns an uploaded picture into a facial record, ``modes`` states which
modes the pack can serve. ``attacks`` makes checks of simulated persons and attackers in the background, and
``film`` the pictures of their scans. ``verdict`` and ``replies`` describe results for the page.

``page`` contains the built page. Its source is ``web/try``; ``make web`` builds it and compares.
"""
