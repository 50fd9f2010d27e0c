"""Times h5py and nissl on the same HDF5 file in one run and prints a table (MB/s).

Usage: python benches/compare_io.py   (needs h5py and numpy; runs `cargo bench --bench io`)
"""

import os
import re
import statistics
import subprocess
import tempfile
import time

import h5py
import numpy as np

SHAPE, CHUNK = (8000, 2000), (256, 200)


def terrain():
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype("f4")
    noise = np.random.default_rng(1).random(SHAPE, dtype="f4")
    return np.sin(y / 300) * 400 + np.cos(x / 170) * 250 + noise


def rate(read, size):
    times = []
    for _ in range(9):
        start = time.perf_counter()
        read()
        times.append(time.perf_counter() - start)
    return size / statistics.median(times) / 1e6


def main():
    values = terrain().astype("f4")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bench.h5")
        with h5py.File(path, "w") as f:
            f.create_dataset("packed", data=values, chunks=CHUNK, compression="gzip", compression_opts=4, shuffle=True)
            f.create_dataset("lzf", data=values, chunks=CHUNK, compression="lzf", shuffle=True)
            f.create_dataset("plain", data=values)
        peer = {}
        out = np.empty(SHAPE, "f4")
        with h5py.File(path, "r") as f:
            for name in ["packed", "lzf", "plain"]:
                stored = f[name].id.get_storage_size() / values.nbytes
                peer[name] = rate(lambda: f[name].read_direct(out), values.nbytes), stored
        command = ["cargo", "bench", "--bench", "io", "--", "hdf5"]
        run = subprocess.run(command, env=dict(os.environ, NISSL_BENCH_HDF5=path), capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(run.stderr)
    units = {"MiB/s": 1.048576, "GiB/s": 1073.741824}
    found = re.findall(r"(hdf5/\S+)\s+time:.*?thrpt:\s+\[\S+ \S+ (\S+) (\S+) \S+ \S+\]", run.stdout, re.S)
    print("| dataset | stored | h5py | " + "nissl | MB/s | times h5py |")
    print("| --- | --- | --- | --- | --- | --- |")
    for key, value, unit in found:
        _, name, how = key.split("/", 2)
        ours, (theirs, stored) = float(value) * units[unit], peer[name]
        print("| %s | %.0f %% | %.0f | %s | %.0f | %.1f |" % (name, 100 * stored, theirs, how, ours, ours / theirs))


main()
