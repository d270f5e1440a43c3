#!/usr/bin/env bash
# Measures Mortar on this machine's NVIDIA GPU, or tries the same out on the simulated device where there is none. Needs
# bash, g++, CMake and Python 3; PyTorch, the CUDA toolkit and MPS are used where they are. No network. --help tells more.
#
#   bench/gpu/run.sh --list
#   bench/gpu/run.sh --part launch-cost [--out DIR]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${MORTAR_BUILD:-$root/build/gpu}
case " $* " in *" --help "* | *" -h "* | *" --list "* | *" --table "*) build_first= ;; *) build_first=1 ;; esac
if [[ $build_first && -z ${MORTAR_BUILD:-} ]]; then
  mkdir -p "$build"
  generator=()
  ! command -v ninja > /dev/null || generator=(-G Ninja)
  cmake -S "$root" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DMORTAR_TESTS=OFF -DMORTAR_EXAMPLES=OFF \
    > "$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2 && exit 1; }
  targets=(mortar-cuda mortar-cuda-hook cuda_workload gpu_board gpu_launch_cost)
  # What needs libraries that a CUDA machine may not have.
  for optional in mortar mortar-simcuda; do
    ! cmake --build "$build" --target help | grep -qE "(^|[. ])$optional(:|\$| )" || targets+=("$optional")
  done
  cmake --build "$build" -j "$(nproc)" --target "${targets[@]}" > "$build/build.log" 2>&1 ||
    { tail -20 "$build/build.log" >&2 && exit 1; }
fi
exec "${PYTHON:-python3}" "$here/run.py" --build "$build" "$@"
