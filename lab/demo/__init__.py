"""``facegate demo``: a server, twenty-one checks through gRPC, a table and a page.

``scenarios`` has the checks and their outcomes, ``stage`` makes portraits and frames, ``local_server`` runs
``facegate serve``, ``runner`` makes the three calls, ``flash`` measures a scan under the screen's colours
again, ``page`` writes the outcomes to a folder.
"""
