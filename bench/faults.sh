#!/usr/bin/env bash
# Kills, stops and corrupts clients of a board and measures how long the others stand still; with --cuda first, two CUDA
# programs on the simulated device. --help tells more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${MORTAR_BUILD:-$here/../build/release}
if [[ ${1:-} == --cuda ]]; then
  shift
  exec "${PYTHON:-python3}" "$here/cuda/faults.py" --build "$build" "$@"
fi
program=$build/bin/faults
[[ -x $program ]] || { echo "faults: $program is not built; run ./dev bench faults, or ./dev build release first" >&2 && exit 2; }
exec "$program" "$@"
