"""The pack ``embedded``, which needs no pull and is for evaluation only: its models and their terms."""

from functools import lru_cache
from importlib.resources import files

from vision.packs.catalogue import Catalogue, parse_catalogue


@lru_cache(maxsize=1)
def load_catalogue() -> Catalogue:
    """Return the model files of the pack: dlib's, and Facegate's own PAD network."""
    return parse_catalogue((files("lab.packs") / "catalogue.toml").read_text(encoding="utf-8"))
