#!/usr/bin/env bash
# Programs and libraries that are not ours share the emulated device in pairs, under each policy. Installs them (Debian
# packages). --help tells more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=(leela-zero python3-simtk libopenmm-plugins hashcat libclfft-dev libviennacl-dev ffmpeg g++ ocl-icd-opencl-dev
  pocl-opencl-icd)
missing=()
if command -v dpkg-query > /dev/null && [[ " $* " != *" --help "* ]]; then
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null | grep -qx installed || missing+=("$package")
  done
fi
if ((${#missing[@]})); then
  echo "thirdparty: installing ${missing[*]}" >&2
  root=()
  ((EUID == 0)) || root=(sudo)
  "${root[@]}" apt-get update -q >&2
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}" >&2
fi
# Debian's own Python: it is the one that Debian's OpenMM is for.
exec /usr/bin/python3 -B "$here/thirdparty/thirdparty.py" --build "${MORTAR_BUILD:-$here/../../build/release}" "$@"
