#!/usr/bin/env bash
# Installs Facegate from a folder that bundle.sh made, without a network:
#
#   bash install.sh TARGET [MODELS_DIR]
#
# TARGET gets the virtual environment, MODELS_DIR (TARGET/models by default) the packs of the bundle. Compare SHA256SUMS
# with the copy that its maker gave you in another way. ACCEPT_TERMS=1 accepts the terms of packs that demand it.
set -euo pipefail

if [ $# -lt 1 ]; then
  echo "usage: bash install.sh TARGET [MODELS_DIR]" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
target=$1
models=${2:-$target/models}

echo "Comparing the files with SHA256SUMS"
(cd "$here" && sha256sum --check --quiet --strict SHA256SUMS)
unlisted=$(cd "$here" && find . -type f ! -name SHA256SUMS | sort | comm -23 - <(sed 's/^[0-9a-f]*[ *]*//' "$here/SHA256SUMS" | sort))
if [ -n "$unlisted" ]; then
  echo "files that SHA256SUMS does not list: $unlisted" >&2
  exit 1
fi

echo "Installing into $target"
"${PYTHON:-python3}" -m venv "$target/venv"
pip=("$target/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps)
"${pip[@]}" --find-links "$here/wheels" --require-hashes -r "$here/build.lock"
"${pip[@]}" --find-links "$here/wheels" --require-hashes --no-build-isolation -r "$here/cpu.lock"
for lock in "$here"/extras/*.lock; do
  [ ! -e "$lock" ] || "${pip[@]}" --find-links "$here/wheels" --require-hashes --no-build-isolation -r "$lock"
done
"${pip[@]}" "$here"/own/*.whl
if [ -f "$here/models.tar" ]; then
  while read -r pack; do
    "$target/venv/bin/facegate" models pull "$pack" ${ACCEPT_TERMS:+--accept} --mirror "$here/models.tar" \
      --models-dir "$models"
  done < "$here/packs"
  "$target/venv/bin/facegate" models show --models-dir "$models"
fi
echo "Installed: $target/venv/bin/facegate"
