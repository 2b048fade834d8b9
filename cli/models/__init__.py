"""``facegate models``: packs of models, from the catalogue to the models folder.

``install.pull_pack`` is the door for other commands. ``sources`` says where files come from (addresses,
a folder, a tar file), ``fetching`` gets several at once, ``part_file`` keeps what is begun, ``installed``
tells what lies in the folder, ``acceptance`` and ``bundle`` what the name says.
"""
