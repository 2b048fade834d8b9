#!/usr/bin/env bash
# Gathers all that an installation without a network needs. Run it on a machine with a network, of the same operating
# system, processor and version of Python, in a checkout in which `make install` has run:
#
#   deploy/airgap/bundle.sh OUT [PACK...]
#
# OUT gets the wheels of the lock file and of the extras that EXTRAS names (EXTRAS="postgres otlp"), Facegate's own, the
# bundle of the named packs, the Helm chart, settings and unit for systemd, and SHA256SUMS. The packs must be installed
# (`facegate models pull`).
set -euo pipefail

if [ $# -lt 1 ]; then
  echo "usage: deploy/airgap/bundle.sh OUT [PACK...]" >&2
  exit 2
fi
out=$1
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
if [ -e "$out" ]; then
  echo "$out exists already: name a new folder" >&2
  exit 2
fi

mkdir -p "$out/wheels" "$out/extras"
echo "Fetching the packages of the lock files"
for lock in build cpu ${EXTRAS:+$(printf 'extras/%s ' $EXTRAS)}; do
  cp "$root/deploy/requirements/$lock.lock" "$out/$lock.lock"
  "$python" -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation \
    --dest "$out/wheels" -r "$out/$lock.lock"
done
echo "Building Facegate's own"
# Of the laboratory only what these extras need.
case " ${EXTRAS:-} " in *" embedded "* | *" evaluation "*) lab=$root/lab ;; *) lab= ;; esac
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir "$out/own" \
  "$root/protos" "$root/clients/python" "$root" ${lab:+"$lab"}
if [ $# -gt 0 ]; then
  echo "Bundling models: $*"
  "$(dirname "$python")/facegate" models bundle "$@" --out "$out/models.tar"
  printf '%s\n' "$@" > "$out/packs"
fi
tar -czf "$out/facegate-chart.tgz" -C "$root/helm" facegate
cp -r "$root/deploy/airgap/install.sh" "$root/deploy/systemd" "$out/"
(cd "$out" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)
echo "$out: $(du -sh "$out" | cut -f1). Carry it over, and run: bash install.sh TARGET"
