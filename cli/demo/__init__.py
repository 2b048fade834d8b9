"""``facegate demo``: a server, twenty-one checks through gRPC, a table and a page.

``scenarios`` defines the checks and their expected outcomes, ``stage`` makes portraits and frames,
``local_server`` runs ``facegate serve``, ``runner`` makes the three calls, ``display`` and ``summary`` print
to the terminal, ``flash`` draws a scan under the screen's colours, ``page`` and ``files`` write the outcomes
to a folder.
"""
