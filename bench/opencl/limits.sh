#!/usr/bin/env bash
# What --min-share and --weight bring, and what they cost a holder, on the emulated device. --help tells more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${PYTHON:-python3}" "$here/limits.py" --build "${MORTAR_BUILD:-$here/../../build/release}" "$@"
