#!/usr/bin/env bash
# A holder and a filler share the simulated CUDA device under each policy; prints what it does to both. --help tells more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${PYTHON:-python3}" "$here/pair.py" --build "${MORTAR_BUILD:-$here/../../build/release}" "$@"
