"""Inputs of benches/scale.sh, made once: epochs, a raster, a recording with unsorted spikes."""

import os

import h5py
import numpy as np
from numpy.lib.format import open_memmap

rng = np.random.default_rng(1)

for number in range(1, 5):
    name = f"epochs-{number}.npy"
    if not os.path.exists(name):
        epochs = rng.normal(size=(300, 64, 1000)) * 2e-5
        epochs[::17] *= 6
        np.save(name, epochs)

if not os.path.exists("raster.h5"):
    edge, band = 16384, 1024
    raster = open_memmap("raster.npy", "w+", "<f4", (edge, edge))
    with h5py.File("raster.h5", "w") as file:
        stored = file.create_dataset(
            "dem", (edge, edge), "f4", chunks=(256, 256), compression="gzip", compression_opts=1, shuffle=True
        )
        rows = np.cumsum(rng.normal(size=(band, edge)), axis=1).round(1).astype("f4")
        for first in range(0, edge, band):
            raster[first : first + band] = rows + first
            stored[first : first + band] = rows + first
    raster.flush()

if not os.path.exists("session.h5"):
    end, electrodes, spikes = 2200.0, 16, 40_000
    with h5py.File("session.h5", "w") as file:
        file.attrs["layout"] = "decode-inputs-1"
        time = np.arange(0, end, 1 / 30)
        x = 90 + 80 * np.sin(2 * np.pi * time / 41) + rng.normal(0, 1, len(time))
        y = 60 + 50 * np.sin(2 * np.pi * time / 13) + rng.normal(0, 1, len(time))
        file["position/time"] = time
        file["position/data"] = np.c_[x, y]
        for electrode in range(electrodes):
            times = np.sort(rng.uniform(0, end, spikes))
            near = np.exp(-((np.interp(times, time, x) - rng.uniform(10, 170)) ** 2) / 400)
            marks = 100 + 30 * rng.normal(size=(spikes, 4)) + np.outer(100 * near, rng.uniform(0.3, 1, 4))
            file[f"electrodes/{electrode}/spike_times"] = times
            file[f"electrodes/{electrode}/features"] = marks.astype("f4")
