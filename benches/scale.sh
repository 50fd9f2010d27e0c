#!/usr/bin/env bash
# The rates that docs/scale.md plans with: each command on one machine, cold start to finished file.
#
#   benches/scale.sh [FOLDER]      inputs (4 GB) and results go there; default: a temporary folder
#
# NISSL is the program (default: nissl on the path), PYTHON one with numpy and h5py, RUN a command
# that is put before each timed one (a lock, taskset). Prints a line for each command: wall seconds,
# most resident memory, and what its report counts.
set -euo pipefail
nissl=${NISSL:-nissl} python=${PYTHON:-python3}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
cd "$folder"
"$python" "$here/scale_inputs.py"

timed() { # NAME COMMAND...
    local name=$1
    shift
    # shellcheck disable=SC2086
    ${RUN:-} /usr/bin/time -o time.txt -f '%e %M' "$nissl" "$@" -q --force
    "$python" - "$name" "$@" <<'PYTHON'
import json, os, sys
name, words = sys.argv[1], sys.argv[2:]
wall, rss = open("time.txt").read().split()[-2:]
output = words[words.index("-o") + 1]
if "--shard" in words:
    shard, of = words[words.index("--shard") + 1].split("/")
    stem, extension = os.path.splitext(output)
    output = f"{stem}.shard-{int(shard):03}-of-{int(of):03}{extension}"
report = f"{output}/report.json" if os.path.isdir(output) else f"{output}.report.json"
stages = json.load(open(report))["stages"]
told = ", ".join(f"{s['name']} {s['wall_s']:.2f}" for s in stages if s["wall_s"] > 0.005)
print(f"{name}: {float(wall):.2f} s, {int(rss) // 1024} MiB; {told}", flush=True)
PYTHON
}

timed "autoreject, 300 x 64 x 1000 float64" autoreject epochs-1.npy -o cleaned-1 --montage biosemi64 --sfreq 500
timed "autoreject, four of them" autoreject epochs-?.npy -o cleaned-4 --montage biosemi64 --sfreq 500
for i in 1 2; do
    timed "autoreject, part $i of 2" autoreject epochs-?.npy -o cleaned --montage biosemi64 --sfreq 500 --shard "$i/2"
done
timed "autoreject, merge" merge . -o cleaned

kernel=(--kernel gauss:5 --memory 1G)
timed "convolve, 16384 x 16384 float32, separable" convolve raster.npy -o smooth.npy "${kernel[@]}"
timed "convolve, the same, gzip in, netCDF out" convolve raster.h5 -o smooth.nc "${kernel[@]}"
timed "convolve, circle of 31 x 31" convolve raster.npy -o circle.npy --kernel circle:15 --memory 1G
rm -f circle.npy circle.npy.report.json
timed "convolve, the same, kept" convolve raster.npy -o circle.npy --kernel circle:15 --memory 1G --resume
rm -f circle.npy circle.npy.report.json
for i in 1 2 3 4; do
    timed "convolve, part $i of 4" convolve raster.npy -o parts.npy "${kernel[@]}" --shard "$i/4"
done
timed "convolve, merge" merge . -o parts.npy
cmp parts.npy smooth.npy
rm -f parts.* smooth.*

decode=(session.h5 --encode-interval 0:1200 --time 1200:2200:0.01 --position-std 6 --bin-size 3 --memory 4G)
timed "decode, 100,000 bins of time" decode "${decode[@]}" -o whole.nc
rm -f whole.nc whole.nc.report.json
timed "decode, the same, kept" decode "${decode[@]}" -o whole.nc --resume
for i in 1 2; do timed "decode, part $i of 2" decode "${decode[@]}" -o laps.nc --shard "$i/2"; done
timed "decode, merge" merge . -o laps.nc
cmp laps.nc whole.nc
