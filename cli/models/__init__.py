"""``facegate models``: packs of models, from the catalogue to the models folder."""
