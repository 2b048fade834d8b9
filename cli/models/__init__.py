"""``facegate models``: packs of models, from the catalogue to the models folder.

Other commands use ``install.pull_pack``. ``sources`` opens the sources of files (addresses, a folder, a tar
file), ``fetching`` fetches several at once, ``part_file`` keeps partial downloads, ``installed`` inspects the
models folder, ``acceptance`` handles the acceptance of terms, and ``bundle`` writes tar files.
"""
