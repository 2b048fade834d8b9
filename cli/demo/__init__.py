"""``facegate demo``: a server, twenty checks through gRPC, a table and a page.

``scenarios`` says what is shown and what must come out, ``stage`` makes portraits and frames,
``local_server`` runs ``facegate serve``, ``runner`` makes the three calls, ``display`` and
``summary`` speak to the terminal, ``flash`` draws a scan under the screen's colours, ``page`` and ``files``
leave what happened in a folder.
"""
