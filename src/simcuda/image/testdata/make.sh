#!/bin/bash
# Makes this folder's images from kernels.cu, with the CUDA toolkit of PATH (13.0 made those that are committed).
set -euo pipefail
cd "$(dirname "$0")"
both=(-gencode arch=compute_80,code=sm_80 -gencode 'arch=compute_90,code=[sm_90,compute_90]')
nvcc -arch=sm_90 -cubin -o sm90.cubin kernels.cu
nvcc -fatbin --compress-mode=none "${both[@]}" -o none.fatbin kernels.cu
nvcc -fatbin --compress-mode=speed "${both[@]}" -o lz4.fatbin kernels.cu  # its PTX is packed by LZ4
nvcc -fatbin --compress-mode=size "${both[@]}" -o zstd.fatbin kernels.cu
nvcc -arch=sm_90 -cubin -o large.cubin large.cu
