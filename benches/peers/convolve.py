"""Times nissl's convolution beside OpenCV, scipy and xarray-spatial: same raster, same threads, one run.

The programs take turns for every kernel, so that a busy machine slows all of them; medians are printed
as one table (Markdown), ratios are peer / nissl. Arrays are in memory, outputs are allocated beforehand
where the library allows it, the first round of each is a warm-up.

    cargo build --release --example focal_timer
    python3.12 -m venv peers && peers/bin/pip install -r benches/peers/requirements.txt
    peers/bin/python benches/peers/convolve.py [--threads 2] [--rounds 7] [--sizes 3,7,15]

xarray-spatial needs Python 3.12 or newer: an older one installs 0.5.3, which computes something else.

    peers/bin/python benches/peers/convolve.py --inputs DIR --json opencv.json [--tool OpenCV]

times one peer alone on the inputs that `nissl bench --keep DIR` left, for `nissl bench --against opencv.json`: reading
the .npy, the convolution, writing the result.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import results
from measure import run

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=7, help="counted rounds; the median is printed")
parser.add_argument("--side", type=int, default=2000, help="rows and columns of the raster")
parser.add_argument("--sizes", default="3,5,7,9,11,13,15,17,21,31,41,61,81,101")
parser.add_argument("--slow", type=int, default=31, help="largest kernel for xarray-spatial and scipy's dense path")
parser.add_argument("--timer", default="target/release/examples/focal_timer")
parser.add_argument("--tool", default="OpenCV", choices=["OpenCV", "scipy", "xarray-spatial"], help="which peer, with --inputs")
parser.add_argument("--work", default="target/peers-convolve", help="folder for the peer's results, with --inputs")
parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
results.add_flags(parser)
options = parser.parse_args()
os.environ["NUMBA_NUM_THREADS"] = str(options.threads)
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import scipy.ndimage  # noqa: E402
import scipy.signal  # noqa: E402

try:
    import xarray
    from xrspatial.convolution import convolve_2d
    import xrspatial
except ImportError:
    convolve_2d = None

cv2.setNumThreads(options.threads)


def closed_form(seed, count):
    """The sequence that focal_timer uses."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53


side = options.side
raster = (closed_form(7001, side * side) * 2000.0 - 400.0).reshape(side, side)
out = np.empty_like(raster)


def kernels(kind, n):
    """The dense kernel, and the factors of a separable one."""
    if kind == "gauss":
        at = (np.arange(n) - n // 2) / (n / 6.0)
        factor = np.exp(-0.5 * at * at)
        return np.outer(factor, factor), factor
    if kind == "box":
        return np.ones((n, n)), None
    return (closed_form(7002, n * n) - 0.25).reshape(n, n), None


def peers(kind, n):
    """Each peer's best way to the same numbers (boundary: edge repeated)."""
    kernel, factor = kernels(kind, n)
    ways = {}
    if kind == "gauss":
        ways["OpenCV"] = lambda: cv2.sepFilter2D(raster, -1, factor, factor, dst=out, borderType=cv2.BORDER_REFLECT)
        ways["scipy"] = lambda: scipy.ndimage.correlate1d(
            scipy.ndimage.correlate1d(raster, factor, axis=0, mode="reflect"), factor, axis=1, output=out, mode="reflect")
    elif kind == "box":
        ways["OpenCV"] = lambda: cv2.boxFilter(
            raster, -1, (n, n), dst=out, normalize=False, borderType=cv2.BORDER_REFLECT)
        ways["scipy"] = lambda: scipy.ndimage.uniform_filter(raster, n, output=out, mode="reflect")
    else:
        ways["OpenCV"] = lambda: cv2.filter2D(raster, -1, kernel, dst=out, borderType=cv2.BORDER_REFLECT)
        if n <= options.slow // 2:
            ways["scipy"] = lambda: scipy.ndimage.correlate(raster, kernel, output=out, mode="reflect")
        else:
            ways["scipy"] = lambda: scipy.signal.oaconvolve(
                np.pad(raster, n // 2, mode="symmetric"), kernel[::-1, ::-1], mode="valid")
    if convolve_2d is not None and n <= options.slow:
        ways["xarray-spatial"] = lambda: convolve_2d(raster, kernel, boundary="reflect")
    return ways


# ---- on kept inputs ----


def typed(text):
    """A kernel as nissl's command line has it: the weights, and the factor of a Gaussian."""
    kind, _, rest = text.partition(":")
    if kind == "gauss":
        sigma, _, truncate = rest.partition(",")
        reach = int(float(truncate or 4) * float(sigma) + 0.5)
        factor = np.exp(-0.5 * (np.arange(-reach, reach + 1) / float(sigma)) ** 2)
        factor /= factor.sum()
        return np.outer(factor, factor), factor
    if kind == "box":
        return np.ones([int(n) for n in rest.split("x")]), None
    if kind == "circle":
        at = np.arange(-int(rest), int(rest) + 1)
        return (at[:, None] ** 2 + at ** 2 <= int(rest) ** 2).astype(float), None
    return np.array([[float(w) for w in row.split()] for row in text.split(";")]), None


def way(tool, text, array):
    """The tool's best way to convolve `array` with the edge repeated outwards."""
    kernel, factor = typed(text)
    kind = text.partition(":")[0]
    if tool == "OpenCV":
        border = dict(borderType=cv2.BORDER_REPLICATE)
        if kind == "gauss":
            return cv2.sepFilter2D(array, -1, factor, factor, **border)
        if kind == "box":
            return cv2.boxFilter(array, -1, kernel.shape[::-1], normalize=False, **border)
        return cv2.filter2D(array, -1, kernel, **border)
    if tool == "scipy":
        if kind == "gauss":
            rows = scipy.ndimage.correlate1d(array, factor, axis=0, mode="nearest")
            return scipy.ndimage.correlate1d(rows, factor, axis=1, mode="nearest")
        if kind == "box":
            return scipy.ndimage.uniform_filter(array, kernel.shape, mode="nearest") * kernel.size
        if max(kernel.shape) <= options.slow // 2:
            return scipy.ndimage.correlate(array, kernel, mode="nearest")
        padded = np.pad(array, [(n // 2, n // 2) for n in kernel.shape], mode="edge")
        return scipy.signal.oaconvolve(padded, kernel[::-1, ::-1], mode="valid")
    return np.asarray(convolve_2d(array, kernel, boundary="nearest"))


def peer(spec, found):
    """One tool on one input, in a process of its own: seconds of reading, convolving, writing in each run."""
    spec = json.loads(Path(spec).read_text())
    target, times = Path(found).with_suffix(".npy"), []
    for _ in range(1 + spec["rounds"]):
        marks = [time.perf_counter()]
        array = np.load(spec["input"])
        marks.append(time.perf_counter())
        result = way(spec["tool"], spec["kernel"], array)
        marks.append(time.perf_counter())
        np.save(target, result)
        marks.append(time.perf_counter())
        times.append([after - before for before, after in zip(marks, marks[1:])])
    target.unlink()
    # The first one warms up.
    Path(found).write_text(json.dumps(times[1:]))


def kept():
    """The times of --tool on what `nissl bench --keep` left."""
    versions = {"OpenCV": cv2.__version__, "scipy": scipy.__version__}
    if options.tool == "xarray-spatial":
        if convolve_2d is None:
            sys.exit("xarray-spatial is not installed here")
        versions[options.tool] = xrspatial.__version__
    machine, entries, work = results.host(), [], Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    cores = set(sorted(os.sched_getaffinity(0))[:options.threads])
    for kept in results.kept(options.inputs, "convolve", options.works):
        if kept.flag("--stat"):
            continue
        spec, found = work / "spec.json", work / "found.json"
        spec.write_text(json.dumps(dict(input=str(kept.input), kernel=kept.flag("--kernel"), tool=options.tool, rounds=options.rounds)))
        script = [sys.executable, str(Path(__file__).resolve()), "--threads", str(options.threads), "--peer", str(spec), str(found)]
        _, memory = run(script, cores)
        times = json.loads(found.read_text())
        totals = [sum(parts) for parts in times]
        stages = [(name, statistics.median(parts)) for name, parts in zip(["read", "compute", "write"], zip(*times))]
        entries.append(kept.result(options.threads, totals, memory, "warm process; reads .npy, convolves, writes .npy without a sync", stages))
        print(f"{kept.name}: {statistics.median(totals):.3g} s, " + ", ".join(f"{n} {t:.3g}" for n, t in stages), flush=True)
        results.write(options.json, f"{options.tool} {versions[options.tool]}", entries, machine)


if options.peer or results.wanted(options):
    peer(*options.peer) if options.peer else kept()
    sys.exit()

timer = subprocess.Popen([options.timer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ours(kind, n, kind_of_run="auto"):
    word = "dense" if kind == "dense" else kind
    request = f"{side} {side} {word} {n}x{n} {kind_of_run} f64 {options.threads} best 1\n"
    timer.stdin.write(request)
    timer.stdin.flush()
    answer = json.loads(timer.stdout.readline())
    if "error" in answer:
        sys.exit(f"{request.strip()}: {answer['error']}")
    return answer


def timed(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def median_row(kind, n):
    ways = peers(kind, n)
    for call in ways.values():
        call()
    times = {name: [] for name in ["nissl", *ways]}
    for _ in range(options.rounds):
        answer = ours(kind, n)
        times["nissl"].append(answer["median_ms"])
        for name, call in ways.items():
            slow = name == "xarray-spatial" and len(times[name]) >= 3
            if not slow:
                times[name].append(timed(call))
    return answer, {name: statistics.median(values) for name, values in times.items()}


names = ["OpenCV", "scipy", "xarray-spatial"]
print(f"{side} x {side} float64 in memory, {options.threads} threads, medians of {options.rounds}, ms (and times nissl's)")
print(f"numpy {np.__version__}, OpenCV {cv2.__version__}, scipy {scipy.__version__},",
      f"xarray-spatial {xrspatial.__version__}" if convolve_2d else "no xarray-spatial")
print()
print("| kernel | nissl | algorithm | GFLOP/s | " + " | ".join(names) + " |")
print("| --- " * (4 + len(names)) + "|")
copy = statistics.median(timed(lambda: np.copyto(out, raster)) for _ in range(options.rounds))
for kind in ["dense", "gauss", "box"]:
    for n in map(int, options.sizes.split(",")):
        answer, row = median_row(kind, n)
        mine = row["nissl"]
        cells = [f"{row[name]:.1f} ({row[name] / mine:.1f}x)" if name in row else "" for name in names]
        rate = 2.0 * n * n * side * side / mine * 1e-6
        print(f"| {kind} {n}x{n} | {mine:.1f} | {answer['algorithm']} | {rate:.0f} | " + " | ".join(cells) + " |", flush=True)
print()
print(f"GFLOP/s counts 2 x taps per cell, whatever the algorithm. Copying the raster takes {copy:.1f} ms.")
