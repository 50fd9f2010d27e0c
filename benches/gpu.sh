#!/usr/bin/env bash
# The whole check of a CUDA device in one call, under ten minutes: build, references on the device,
# times beside the CPU and beside the device's own ceilings, and beside CuPy, PyTorch and JAX where they
# can be imported. Prints one report. Nothing is left behind but the build.
#
#   benches/gpu.sh [REPORT]                 default: gpu-report.txt
#   benches/gpu.sh --rehearse [REPORT]      small inputs and an hour, for a driver that is no device
#                                           (tests/cuda/build.sh): shows that the check itself works
#
# Needs: an NVIDIA driver (550 or newer), cargo, python3 with numpy. NVRTC is taken where it is found.
# Nothing else is fetched where the dependencies are there already (cargo fetch, or a vendored copy).
set -uo pipefail
cd "$(dirname "$0")/.."
rehearse=
profile=(--release --features cuda)
limit=570
if [[ ${1:-} == --rehearse ]]; then
    # The build of the tests that `.ci/run` makes.
    rehearse=1 profile=(--features wgpu,cuda) limit=3600
    shift
fi
report=$(realpath "${1:-gpu-report.txt}")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/nissl-gpu.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
failed=0

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
    [[ -n $rehearse ]] || nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,pcie.link.gen.max,pcie.link.width.max --format=csv
    nproc
    git log -1 --format='nissl %h of %cs' 2>/dev/null
}

build() {
    # shellcheck disable=SC2086
    cargo build $flags 2>&1 | tail -2
}

# Library tests of the device: queues, convolve references of both types and the definition, decode
# references.
library_tests() {
    # shellcheck disable=SC2086
    NISSL_TEST_ON_CUDA=1 cargo test $flags --test cuda -- --nocapture \
        convolve::all convolve::every decode:: device:: chain::on_ 2>&1 | tail -25
}

# All references of decode through the program: both precisions, and sorted units.
decode_references() {
    "$binary" bench --verify fixtures/decode --backend cuda --only '*f32*,*f64*,*sorted*' --progress none | tail -1
}

flags=${profile[*]}
binary=${CARGO_TARGET_DIR:-target}/$([[ -n $rehearse ]] && echo debug || echo release)/nissl

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
    for backend in ${backends:-cuda cpu}; do
        for again in first again; do
            [[ $backend$again == cpufirst ]] && continue
            "$binary" "$@" --backend $backend --force -q --progress none -o "$scratch/out.$name" \
                --report "$scratch/$name-$backend-$again.json" || return 1
        done
    done
    python3 - "$scratch" "$name" <<'PYTHON'
import json, os, sys
folder, name = sys.argv[1:]
for run in ("cuda-first", "cuda-again", "cpu-again"):
    if not os.path.exists(f"{folder}/{name}-{run}.json"):
        continue
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

# Rasters, epochs, and scale S of decode: electrodes that encode and decode as many spikes of 4 features,
# in an arena of 2000 bins.
inputs() {
    python3 - "$scratch" "$rehearse" <<'PYTHON'
import numpy, os, sys
folder, rehearse, chance = sys.argv[1], bool(sys.argv[2]), numpy.random.default_rng(7)
side, large = (200, 1200) if rehearse else (2000, 20000)
numpy.save(f"{folder}/small.npy", chance.normal(900, 100, (side, side)))
numpy.save(f"{folder}/large.npy", chance.normal(900, 100, (large, large)).astype("f4"))
electrodes, spikes = (2, 400) if rehearse else (64, 50_000)
seconds = 2000.0 if rehearse else 20000.0
time = numpy.arange(0.0, seconds, 0.02)
place = 50 + 40 * numpy.sin(numpy.outer(time, [0.31, 0.23])) + chance.normal(0, 1, (len(time), 2))
def save(name, values):
    os.makedirs(os.path.dirname(f"{folder}/session/{name}"), exist_ok=True)
    numpy.save(f"{folder}/session/{name}.npy", values)
save("position/time", time)
save("position/data", place)
for electrode in range(electrodes):
    when = numpy.sort(chance.uniform(0, seconds, 2 * spikes))
    here = place[numpy.searchsorted(time, when) - 1]
    marks = 60 + numpy.concatenate([here, here[:, ::-1]], axis=1) * 0.4 + chance.normal(0, 12, (2 * spikes, 4))
    save(f"electrodes/{electrode}/spike_times", when)
    save(f"electrodes/{electrode}/features", marks)
n, c, t = (60, 16, 120) if rehearse else (6000, 128, 1000)
block = min(n, 250)
epochs = numpy.lib.format.open_memmap(f"{folder}/epochs.npy", "w+", "f8", (n, c, t))
mix = chance.normal(size=(c, 12)) * 1e-5
for first in range(0, n, block):
    part = numpy.einsum("cs,est->ect", mix, chance.normal(size=(block, 12, t))) + chance.normal(size=(block, c, t)) * 3e-6
    loud = chance.random((block, c)) < 0.05
    part *= numpy.where(loud, chance.uniform(3, 9, (block, c)), 1.0)[:, :, None]
    epochs[first : first + block] = part
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

# The CPU takes minutes for it: the device alone, twice.
decode_full() {
    local half=10000 last=20000
    [[ -z $rehearse ]] || half=1000 last=1005
    backends=cuda timed decode.nc decode "$scratch/session" --encode-interval "0:$half" --time "$half:$last:0.02" \
        --position-range 0:100,0:100 --bin-size 2.2 --position-std 6 --waveform-std 24
}

works=(--size standard)
[[ -z $rehearse ]] || works=(--size quick --only decode/tiny)

export scratch binary rehearse flags
export -f facts build library_tests decode_references same_choices timed inputs autoreject_full decode_full
{
    step "device" facts
    step "build" build
    step "references" library_tests
    step "references of decode" decode_references
    step "autoreject decides alike" same_choices
    step "made-up inputs" inputs
    step "convolve 2000 x 2000 f64, Gaussian" timed small.npy convolve "$scratch/small.npy" --kernel gauss:3
    step "convolve 2000 x 2000 f64, dense" timed small.npy convolve "$scratch/small.npy" --kernel gauss:5 --algorithm direct
    step "convolve 20000 x 20000 f32, dense" timed large.npy convolve "$scratch/large.npy" --kernel gauss:2.5 --algorithm direct
    step "convolve 20000 x 20000 f32, circle" timed large.npy convolve "$scratch/large.npy" --kernel circle:20
    step "decode" "$binary" bench decode "${works[@]}" --backend cuda --repeat 1
    step "decode at scale S" decode_full
    step "autoreject 6000 x 128 x 1000" autoreject_full
    step "ceilings of the device and peers on it" python3 benches/peers/gpu.py "$scratch"
    echo "== $( ((failed)) && echo "some steps FAILED" || echo "all steps done"), $SECONDS s"
} 2>&1 | tee "$report"
grep -q "^== all steps done" "$report"
