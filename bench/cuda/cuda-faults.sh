#!/usr/bin/env bash
# Kills holders and fillers at random on the simulated CUDA device; how long the other stands still. --help tells more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${PYTHON:-python3}" "$here/faults.py" --build "${MORTAR_BUILD:-$here/../../build/release}" "$@"
