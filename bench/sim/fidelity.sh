#!/usr/bin/env bash
# Simulator against life: predicts runs of two programs on the emulated OpenCL device and on the simulated CUDA device from
# recordings of each alone, before looking, and prints the error of each. --help tells more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${PYTHON:-python3}" "$here/fidelity.py" --build "${MORTAR_BUILD:-$here/../../build/release}" "$@"
