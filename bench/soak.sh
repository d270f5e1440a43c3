#!/usr/bin/env bash
# Half an hour of programs that join, end, die, stop and change their minds, watched for stalls, growth and errors. --help tells more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${PYTHON:-python3}" -B "$here/soak/soak.py" --build "${MORTAR_BUILD:-$here/../build/release}" "$@"
