#!/usr/bin/env bash
# The simulator's goals, measured on recordings, one line each: goal, figure, met or not, pairs, the worst pair. --help
# tells more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${PYTHON:-python3}" "$here/goals.py" --build "${MORTAR_BUILD:-$here/../../build/release}" "$@"
