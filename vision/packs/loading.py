"""One door to every pack: a short text in a setting names it."""

from pathlib import Path

from vision.errors import PackNotFound
from vision.onnx_sessions import RuntimeOptions
from vision.packs.embedded_pack import load_embedded_pack
from vision.packs.insightface_pack import load_insightface_pack
from vision.packs.pack import Pack

__all__ = ["load_pack"]

_INSIGHTFACE = "insightface:"


def load_pack(spec: str, *, runtime: RuntimeOptions | None = None) -> Pack:
    """Load the pack that ``spec`` names.

    Args:
        spec: ``"embedded"``, or ``"insightface:<folder>"`` with a folder of ``.onnx`` files
            (``~`` is the home folder).
        runtime: How ONNX Runtime is to run; the defaults of ``RuntimeOptions`` if None.

    Raises:
        PackNotFound: No pack of that name, or its folder or package is missing.
        PackError: The pack is there but cannot be used; see ``vision.errors``.
    """
    if spec == "embedded":
        return load_embedded_pack()
    if spec.startswith(_INSIGHTFACE) and len(spec) > len(_INSIGHTFACE):
        folder = Path(spec.removeprefix(_INSIGHTFACE)).expanduser()
        return load_insightface_pack(folder, runtime=runtime or RuntimeOptions())
    raise PackNotFound(
        f'no pack is named {spec!r}: use "embedded", or "insightface:<folder>" with the folder that '
        "holds the .onnx files"
    )
