#!/usr/bin/env bash
# The whole check of a CUDA device in one call, under ten minutes: build, references on the device,
# times beside the CPU and beside the device's own ceilings, and beside CuPy, PyTorch and JAX where they
# can be imported. Prints one report. Nothing is left behind but the build.
#
#   benches/gpu.sh [REPORT]      default: gpu-report.txt
#
# Needs: an NVIDIA driver (550 or newer), cargo, python3 with numpy. NVRTC is taken where it is found.
# Nothing else is fetched where the dependencies are there already (cargo fetch, or a vendored copy).
set -uo pipefail
cd "$(dirname "$0")/.."
report=$(realpath "${1:-gpu-report.txt}")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/nissl-gpu.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
failed=0
limit=570

left() { echo $((limit - SECONDS)); }

# A step with what it printed; a failure is told and the rest go on.
step() {
    local name=$1 began=$SECONDS
    shift
    echo "== $name"
    if (($(left) < 10)); then
        echo "left out: no time"
        failed=1
        return
    fi
    # A shell of its own, so that steps that are functions can be stopped, too.
    if timeout "$(left)" bash -c 'set -o pipefail; "$@"' step "$@" >"$scratch/step.txt" 2>&1; then
        cat "$scratch/step.txt"
    else
        echo "FAILED with $? after $((SECONDS - began)) s:"
        failed=1
        tail -40 "$scratch/step.txt"
    fi
    echo "-- $((SECONDS - began)) s"
}

facts() {
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,pcie.link.gen.max,pcie.link.width.max --format=csv
    nproc
    git log -1 --format='nissl %h of %cs' 2>/dev/null
}

build() {
    cargo build --release --features cuda 2>&1 | tail -2
}

# Library tests of the device: queues, convolve references of both types and the definition, decode
# references.
library_tests() {
    NISSL_TEST_ON_CUDA=1 cargo test --release --features cuda --test cuda -- --nocapture \
        convolve::all convolve::every decode:: device:: chain::on_ 2>&1 | tail -25
}

binary=${CARGO_TARGET_DIR:-target}/release/nissl

# autoreject decides alike on the device and on the CPU.
same_choices() {
    local set flags at=0
    for set in tiny real14 visual synth32 retrocompat; do
        local input=(fixtures/autoreject/$set/epochs.h5)
        [[ -e ${input[0]} ]] || input=(fixtures/autoreject/$set/epochs.npy --channels fixtures/autoreject/$set/channels.tsv
            --electrodes fixtures/autoreject/$set/electrodes.tsv --sfreq 250)
        for flags in "--threshold-search exact" "--threshold-search exact --no-augment" \
            "--method global --threshold-search exact" "--method ransac"; do
            at=$((at + 1))
            for backend in cpu cuda; do
                # The flags are words.
                # shellcheck disable=SC2086
                "$binary" autoreject "${input[@]}" $flags -q --progress none --backend $backend \
                    -o "$scratch/$backend-$at" || return 1
            done
        done
    done
    python3 - "$scratch" "$at" <<'PYTHON'
import json, sys
folder, count = sys.argv[1], int(sys.argv[2])
def close(a, b):
    if isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in b)
    return a == b if not isinstance(b, float) else abs(a - b) <= 1e-9 * abs(b)
for at in range(1, count + 1):
    cuda, cpu = (json.load(open(f"{folder}/{name}-{at}/summary.json")) for name in ("cuda", "cpu"))
    for field in ("consensus", "n_interpolate", "thresholds", "bad_epochs", "interpolated", "reject", "bad_channels"):
        assert cuda.get(field) == cpu.get(field), (at, field)
    assert close(cuda.get("loss"), cpu.get("loss")), at
print(f"{count} runs of autoreject: equal choices, losses within 1e-9")
PYTHON
}

# Wall time and stages of one command on each backend, the second run of each; the first one compiles.
timed() {
    local name=$1 backend again
    shift
    for backend in cuda cpu; do
        for again in first again; do
            [[ $backend$again == cpufirst ]] && continue
            "$binary" "$@" --backend $backend --force -q --progress none -o "$scratch/out.$name" \
                --report "$scratch/$name-$backend-$again.json" || return 1
        done
    done
    python3 - "$scratch" "$name" <<'PYTHON'
import json, sys
folder, name = sys.argv[1:]
for run in ("cuda-first", "cuda-again", "cpu-again"):
    told = json.load(open(f"{folder}/{name}-{run}.json"))
    stages = ", ".join(f"{s['name']} {s['wall_s']:.3f}" for s in told["stages"])
    print(f"{name:24} {run:10} {told['wall_s']:8.3f} s  ({stages})")
    if run == "cuda-again":
        for device in told["backend"].get("devices", []):
            print("  device as the driver tells it:", json.dumps(device))
        for warning in told.get("warnings", []):
            print("  warning:", warning)
PYTHON
    rm -rf "$scratch/out.$name"
}

inputs() {
    python3 - "$scratch" <<'PYTHON'
import numpy, sys
folder, chance = sys.argv[1], numpy.random.default_rng(7)
numpy.save(f"{folder}/small.npy", chance.normal(900, 100, (2000, 2000)))
numpy.save(f"{folder}/large.npy", chance.normal(900, 100, (20000, 20000)).astype("f4"))
n, c, t = 6000, 128, 1000
epochs = numpy.lib.format.open_memmap(f"{folder}/epochs.npy", "w+", "f8", (n, c, t))
mix = chance.normal(size=(c, 12)) * 1e-5
for first in range(0, n, 250):
    part = numpy.einsum("cs,est->ect", mix, chance.normal(size=(250, 12, t))) + chance.normal(size=(250, c, t)) * 3e-6
    loud = chance.random((250, c)) < 0.05
    part *= numpy.where(loud, chance.uniform(3, 9, (250, c)), 1.0)[:, :, None]
    epochs[first : first + 250] = part
epochs.flush()
i = numpy.arange(c)
z, a = 0.95 - 1.2 * i / c, 2.4 * i
r = numpy.sqrt(1 - z * z)
with open(f"{folder}/channels.tsv", "w") as channels, open(f"{folder}/electrodes.tsv", "w") as electrodes:
    channels.write("name\ttype\tunits\n")
    electrodes.write("name\tx\ty\tz\n")
    for k in range(c):
        channels.write(f"E{k}\tEEG\tV\n")
        electrodes.write(f"E{k}\t{0.095 * r[k] * numpy.cos(a[k])}\t{0.095 * r[k] * numpy.sin(a[k])}\t{0.095 * z[k]}\n")
PYTHON
}

autoreject_full() {
    local flags=(--channels "$scratch/channels.tsv" --electrodes "$scratch/electrodes.tsv" --sfreq 250)
    timed autoreject autoreject "$scratch/epochs.npy" "${flags[@]}" --threshold-search exact --consensus 0.1:0.5:5 \
        --n-interpolate 1,4,8
}

export scratch binary
export -f facts build library_tests same_choices timed inputs autoreject_full
{
    step "device" facts
    step "build" build
    step "references" library_tests
    step "autoreject decides alike" same_choices
    step "made-up inputs" inputs
    step "convolve 2000 x 2000 f64, Gaussian" timed small.npy convolve "$scratch/small.npy" --kernel gauss:3
    step "convolve 2000 x 2000 f64, dense" timed small.npy convolve "$scratch/small.npy" --kernel gauss:5 --algorithm direct
    step "convolve 20000 x 20000 f32, dense" timed large.npy convolve "$scratch/large.npy" --kernel gauss:2.5 --algorithm direct
    step "convolve 20000 x 20000 f32, circle" timed large.npy convolve "$scratch/large.npy" --kernel circle:20
    step "decode" "$binary" bench decode --size standard --backend cuda --repeat 1
    step "autoreject 6000 x 128 x 1000" autoreject_full
    step "ceilings of the device and peers on it" python3 benches/peers/gpu.py "$scratch"
    echo "== $( ((failed)) && echo "some steps FAILED" || echo "all steps done"), $SECONDS s"
} 2>&1 | tee "$report"
grep -q "^== all steps done" "$report"
