"""One table: nissl beside OpenCV, scipy and xarray-spatial, on the same threads, in one run.

    cargo build --release --example focal_timer
    python benches/peers/convolve.py target/release/examples/focal_timer --threads 2

Needs numpy, opencv-python-headless, scipy and xarray-spatial 0.10.20 (Python >= 3.12). All work
on the same raster and weights, in memory, with outputs allocated and touched before. Each round
times every program once, by turns, so that a busy machine slows all alike; the table shows
medians in milliseconds and, per row, how often nissl was ahead of the fastest OpenCV call for
that kernel. `--json FILE` keeps every time.
"""

import argparse
import json
import subprocess
import sys
import time

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("timer", help="the built focal_timer example")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--side", type=int, default=2000, help="rows and columns of the raster")
parser.add_argument("--sizes", default="3,5,7,9,11,13,15,17,21,25,31,41,61,81,101")
parser.add_argument("--kinds", default="dense,gauss,box,circle")
parser.add_argument("--slow-peers", type=int, default=31, help="largest kernel for scipy and xarray-spatial")
parser.add_argument("--json", help="where to keep all times")
args = parser.parse_args()

import cv2
import numba
import numpy as np
import scipy.ndimage

try:
    from xrspatial.convolution import convolve_2d
except ImportError:
    convolve_2d = None

cv2.setNumThreads(args.threads)
numba.set_num_threads(min(args.threads, numba.config.NUMBA_NUM_THREADS))


def closed_form(seed, count):
    """The sequence that the timer uses too."""
    i = np.arange(1, count + 1, dtype=np.uint64)
    z = np.uint64(seed) + i * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def weights(kind, k):
    middle = (np.arange(k) - k // 2) / (k / 6.0)
    line = np.exp(-0.5 * middle * middle)
    if kind == "gauss":
        return line[:, None] * line[None, :], line
    if kind == "box":
        return np.ones((k, k)), None
    if kind == "circle":
        square = middle * middle
        inside = square[:, None] + square[None, :] <= 9.0 * (1.0 - 1.0 / k) ** 2 + 1e-9
        return inside.astype(np.float64), None
    return closed_form(7002, k * k).reshape(k, k) - 0.25, None


def once(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


timer = subprocess.Popen([args.timer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def nissl(kind, k):
    request = f"{args.side} {args.side} {kind} {k}x{k} auto f64 {args.threads} best 1\n"
    timer.stdin.write(request)
    timer.stdin.flush()
    return json.loads(timer.stdout.readline())


n = args.side
raster = (closed_form(7001, n * n) * 2000.0 - 400.0).reshape(n, n)
out = np.ones_like(raster)
border = cv2.BORDER_REFLECT
np.seterr(over="ignore")
records = []
print(f"{n} x {n} float64, {args.threads} threads, median ms of {args.rounds} rounds; OpenCV {cv2.__version__}, "
      f"scipy {scipy.__version__}", flush=True)
print(f"{'kernel':>12} {'nissl':>8} {'way':>10} {'OpenCV':>8} {'call':>12} {'ratio':>6} {'ahead':>6} "
      f"{'filter2D':>9} {'scipy':>8} {'xrspatial':>9}", flush=True)
for kind in args.kinds.split(","):
    for k in map(int, args.sizes.split(",")):
        kernel, line = weights(kind, k)
        calls = {"filter2D": lambda: cv2.filter2D(raster, -1, kernel, dst=out, borderType=border)}
        if line is not None:
            calls["sepFilter2D"] = lambda: cv2.sepFilter2D(raster, -1, line, line, dst=out, borderType=border)
        if kind == "box":
            calls["boxFilter"] = lambda: cv2.boxFilter(raster, -1, (k, k), dst=out, normalize=False, borderType=border)
        times = {name: [] for name in calls}
        for call in calls.values():
            call()
        ours, way = [], ""
        for _ in range(args.rounds):
            answer = nissl(kind, k)
            ours.append(answer["median_ms"])
            way = answer["algorithm"]
            for name, call in calls.items():
                times[name].append(once(call))
        slow = {}
        if k <= args.slow_peers:
            slow["scipy"] = once(lambda: scipy.ndimage.correlate(raster, kernel, output=out, mode="reflect"))
            if convolve_2d is not None:
                if not records:
                    convolve_2d(raster[:64, :64], np.ones((3, 3)), boundary="reflect")
                slow["xrspatial"] = once(lambda: convolve_2d(raster, kernel, boundary="reflect"))
        medians = {name: float(np.median(t)) for name, t in times.items()}
        best = min(medians, key=medians.get)
        mine = float(np.median(ours))
        ahead = sum(a < b for a, b in zip(ours, times[best]))
        records.append({"kind": kind, "size": k, "way": way, "nissl": ours, "times": times, "slow": slow})
        print(f"{kind:>7} {k:>4} {mine:8.1f} {way:>10} {medians[best]:8.1f} {best:>12} {medians[best] / mine:6.2f} "
              f"{ahead:>3}/{args.rounds} {medians['filter2D']:9.1f} {slow.get('scipy', float('nan')):8.0f} "
              f"{slow.get('xrspatial', float('nan')):9.0f}", flush=True)
timer.stdin.close()
if args.json:
    with open(args.json, "w") as file:
        json.dump(records, file)
sys.exit(timer.wait())
