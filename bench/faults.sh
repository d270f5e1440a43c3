#!/usr/bin/env bash
# Kills, stops and corrupts clients of a board and measures how long the others stand still. --help tells more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=${MORTAR_BUILD:-$here/../build/release}/bin/faults
[[ -x $program ]] || { echo "faults: $program is not built; run ./dev bench faults, or ./dev build release first" >&2 && exit 2; }
exec "$program" "$@"
