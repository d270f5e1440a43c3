#!/usr/bin/env bash
# FIKIT's evaluation as the abstract allows it to be read, on recordings: speed-up of the high-priority program against
# default sharing, and what it costs the low-priority one. --help tells more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${PYTHON:-python3}" "$here/fikit.py" "$@"
