#!/usr/bin/env bash
# Runs the steps of the Dockerfile's build without a container engine, in a fresh Debian made by debootstrap:
#
#   deploy/try_build.sh ROOT
#
# Needs root, debootstrap and a package registry. The steps are read from the Dockerfile, so this tries that file and not
# a copy. It does not try the instructions of an engine: stages, users of the image, entry point.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: deploy/try_build.sh ROOT" >&2
  exit 2
fi
root=$1
here=$(cd "$(dirname "$0")/.." && pwd)
if [ -e "$root" ]; then
  echo "$root exists already: name a new folder" >&2
  exit 2
fi

echo "Making a Debian in $root"
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" ${DEBIAN_MIRROR:-} > "$root.log"
# The network of this machine: its resolver, and the authorities that it trusts.
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

echo "Copying what deploy/Dockerfile.dockerignore keeps"
mkdir -p "$root/src" "$root/opt/facegate/requirements"
sed -n 's/^!//p' "$here/deploy/Dockerfile.dockerignore" | while read -r path; do
  mkdir -p "$root/src/$(dirname "$path")"
  cp -r "$here/$path" "$root/src/$path"
done
cp -r "$here"/deploy/requirements/{build.lock,cpu.lock,extras} "$root/opt/facegate/requirements/"

steps=$(python3 - "$here/deploy/Dockerfile" <<'PYTHON'
import re
import sys

text = re.sub(r"\\\n\s*", " ", open(sys.argv[1]).read())
stage = text.partition("AS build-cpu\n")[2].partition("\nFROM ")[0]
print("\n".join(line.removeprefix("RUN ") for line in stage.splitlines() if line.startswith("RUN ")))
PYTHON
)
echo "Running $(wc -l <<< "$steps") steps"
while read -r step; do
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root BASE=debian@sha256:none EXTRAS=postgres \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DEFAULT_TIMEOUT=120 \
    chroot "$root" sh -ec "cd /opt/facegate && $step" < /dev/null
done <<< "$steps"

echo "Starting it as an ordinary user"
chroot --userspec=65532:65532 "$root" env -i PATH=/opt/facegate/.venv/bin:/usr/bin:/bin HOME=/nonexistent \
  PYTHONDONTWRITEBYTECODE=1 facegate models show > /dev/null
echo "The build works: $(du -sh "$root/opt/facegate/.venv" | cut -f1)"
