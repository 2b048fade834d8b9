"""The folder of pulled packs."""

from pathlib import Path

import pytest

from vision.packs.pack_files import default_models_dir

HOME = Path("/home/someone")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/home/someone/.local/share/facegate/models"),
        ({"XDG_DATA_HOME": "/data"}, "/data/facegate/models"),
        ({"XDG_DATA_HOME": ""}, "/home/someone/.local/share/facegate/models"),
        ({"XDG_DATA_HOME": "data"}, "/home/someone/.local/share/facegate/models"),
        ({"FACEGATE_MODELS_DIR": "/srv/models", "XDG_DATA_HOME": "/data"}, "/srv/models"),
        ({"FACEGATE_MODELS_DIR": "models"}, "models"),
        ({"FACEGATE_MODELS_DIR": "."}, "."),
        ({"FACEGATE_MODELS_DIR": "~/models"}, "/home/someone/models"),
        ({"FACEGATE_MODELS_DIR": "~"}, "/home/someone"),
        ({"FACEGATE_MODELS_DIR": ""}, "/home/someone/.local/share/facegate/models"),
    ],
)
def test_the_environment_sets_the_folder(environ: dict[str, str], expected: str) -> None:
    assert default_models_dir(environ, HOME) == Path(expected)
