#!/usr/bin/env bash
# Runs the planner's evaluation grid (fulcrum.toml beside this script) and prints one row a set and strategy.
#
#   bench/plan/fulcrum.sh [--json] [--html FILE] [--strategies LIST] [--profiles DIR] [--suite FILE]
#
# Profiles: --profiles, else $MORTAR_SHARED_DATA/profiles, else ../shared/data/profiles beside the checkout. The tool: $MORTAR, else the newest build/*/bin/mortar.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
profiles=${MORTAR_SHARED_DATA:-$root/../shared/data}/profiles
suite=$here/fulcrum.toml
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --json) arguments+=(--json) ;;
    --html | --strategies | --threads) arguments+=("$1" "${2:?$1 needs a value}"); shift ;;
    --profiles) profiles=${2:?--profiles needs a directory}; shift ;;
    --suite) suite=${2:?--suite needs a file}; shift ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "fulcrum.sh: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
if [ -z "$profiles" ] || [ ! -d "$profiles" ]; then
  echo "fulcrum.sh: no profiles; give --profiles DIR or set MORTAR_SHARED_DATA" >&2
  exit 2
fi
tool=${MORTAR:-$(ls -t "$root"/build/*/bin/mortar 2>/dev/null | head -1)}
if [ -z "$tool" ] || [ ! -x "$tool" ]; then
  echo "fulcrum.sh: no mortar; build it first or set MORTAR" >&2
  exit 2
fi
exec "$tool" plan eval --suite "$suite" --profiles "$profiles" "${arguments[@]}"
