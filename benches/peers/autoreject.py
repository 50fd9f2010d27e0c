"""Times `nissl autoreject` beside the package autoreject: same epochs, same cores, one run.

    cargo build --release
    python3.11 benches/peers/autoreject.py --venv peers-autoreject [--shapes standard_64ch,small_fast]

The peer's time is fit and transform of epochs in memory, imports and worker start not counted; nissl's is
the whole process: reading, fit, cleaned epochs, state, log, pictures. Both may use the same cores (affinity),
they take turns, medians are printed. Then nissl runs once more with the peer's thresholds: its choice of
consensus and n_interpolate, its labels and its cleaned epochs must be the peer's. Thresholds of its own run
may differ in a few channels (the peer's search is ill-conditioned), so that run is judged by its loss.

With --big only nissl runs: 6000 epochs x 128 channels x 1000 samples of float64 (6.1 GB), made on the spot.
Shapes and the share of epochs with artefacts are those of pull request 347 of autoreject.

    python3.11 benches/peers/autoreject.py --venv peers-autoreject --inputs DIR --json theirs.json

times the peer alone on the inputs that `nissl bench --keep DIR` left, for `nissl bench --against theirs.json`.
"""
import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import results
from measure import enter_venv, run

# name: channels, epochs, samples, rate, folds, n_interpolate, consensus, share of epochs with artefacts
FIVE = [0.1, 0.2, 0.3, 0.4, 0.5]
SHAPES = {
    "small_fast": (32, 300, 250, 250, 5, [1, 4], [0.1, 0.3, 0.5], 0.3),
    "standard_64ch": (64, 300, 1000, 500, 10, [1, 4, 8], FIVE, 0.3),
    "highdensity_128ch": (128, 300, 1000, 500, 10, [1, 2, 4, 8, 12, 16], FIVE, 0.3),
    "ultrahd_256ch": (256, 300, 1000, 500, 10, [1, 2, 4, 8, 12, 16], FIVE, 0.3),
    "scaling_32ch": (32, 300, 1000, 500, 10, [1, 4, 8], FIVE, 0.3),
    "scaling_64ch": (64, 300, 1000, 500, 10, [1, 4, 8], FIVE, 0.3),
    "scaling_128ch": (128, 300, 1000, 500, 10, [1, 4, 8], FIVE, 0.3),
    "scaling_256ch": (256, 300, 1000, 500, 10, [1, 4, 8], FIVE, 0.3),
    "duration_5min": (64, 150, 1000, 500, 10, [1, 4, 8], FIVE, 0.3),
    "duration_10min": (64, 300, 1000, 500, 10, [1, 4, 8], FIVE, 0.3),
    "duration_20min": (64, 600, 1000, 500, 10, [1, 4, 8], FIVE, 0.3),
    "clean_10pct": (64, 300, 1000, 500, 10, [1, 4, 8], FIVE, 0.1),
    "noisy_30pct": (64, 300, 1000, 500, 10, [1, 4, 8], FIVE, 0.3),
}
BIG = (128, 6000, 1000, 500, 10, [1, 4, 32], [0.0, 1.0, 11], 0.3)
SEED = 42
HERE = Path(__file__).resolve().parent
# This file bears the name of the package it times.
sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != HERE]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--shapes", default="all", help="names by commas, or all: " + ", ".join(SHAPES))
parser.add_argument("--repeats", type=int, default=3, help="runs of each; the median is printed")
parser.add_argument("--threads", type=int, default=2, help="cores for both")
parser.add_argument("--skip-peer", action="store_true", help="only nissl, without comparison")
parser.add_argument("--big", action="store_true", help="only nissl, 6000 x 128 x 1000")
parser.add_argument("--memory", default="8G", help="nissl's --memory for --big")
parser.add_argument("--flags", default="", help="more flags for nissl's timed runs, in quotes")
parser.add_argument("--nissl", default="target/release/nissl")
parser.add_argument("--venv", help="where autoreject is, or is installed first; default: this interpreter")
parser.add_argument("--work", default="target/peers-autoreject", help="folder for data and results; they stay")
parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
results.add_flags(parser)
options = parser.parse_args()


if options.venv:
    enter_venv(options.venv, HERE / "requirements-autoreject.txt", Path(__file__).resolve())
for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[variable] = str(options.threads)
os.environ.setdefault("MNE_LOGGING_LEVEL", "ERROR")

import numpy as np  # noqa: E402


class Recording:
    """Seeded synthetic EEG, made in pieces: smooth 1/f sources, an evoked response, sensor noise, and in a
    share of the epochs electrode pops or a movement of the head."""

    def __init__(self, positions, shape):
        self.channels, self.epochs, self.samples, self.rate = shape[:4]
        rng = np.random.default_rng(SEED)
        unit = positions / np.linalg.norm(positions, axis=1, keepdims=True)
        towards = rng.standard_normal((20, 3))
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        # Broad bumps on the head: neighbouring electrodes see nearly the same.
        self.mixing = np.exp((unit @ towards.T - 1.0) / 0.25) * rng.choice([-1.0, 1.0], 20)
        self.evoked_at = np.exp((unit @ np.array([0.0, -0.6, 0.8]) - 1.0) / 0.4)
        self.gain = np.exp(0.15 * rng.standard_normal(self.channels))
        self.noise = 1.5e-6 * np.exp(0.3 * rng.standard_normal(self.channels))
        self.artefacts = rng.random(self.epochs) < shape[7]

    def piece(self, first, count):
        """Epochs `first ..`, [epoch, channel, sample], volts; the same whatever the pieces."""
        return np.stack([self.epoch(e) for e in range(first, min(first + count, self.epochs))])

    def epoch(self, index):
        rng = np.random.default_rng([SEED, index])
        n = self.samples
        frequencies = np.fft.rfftfreq(n, 1.0 / self.rate)
        spectrum = rng.standard_normal((20, len(frequencies))) + 1j * rng.standard_normal((20, len(frequencies)))
        sources = np.fft.irfft(spectrum / np.maximum(frequencies, 1.0), n)
        sources *= 12e-6 / sources.std()
        time_at = np.arange(n) / n
        evoked = 4e-6 * np.exp(-0.5 * ((time_at - 0.4) / 0.05) ** 2)
        data = self.mixing @ sources + np.outer(self.evoked_at, evoked)
        data += self.noise[:, None] * rng.standard_normal((self.channels, n))
        data *= self.gain[:, None]
        if self.artefacts[index]:
            moved = rng.random() < 0.25
            hit = rng.random(self.channels) < 0.6 if moved else np.zeros(self.channels, bool)
            hit[rng.choice(self.channels, rng.integers(1, 1 + max(2, self.channels // 10)), replace=False)] = True
            for channel in np.flatnonzero(hit):
                middle, width = rng.random(), 0.02 + 0.2 * rng.random()
                bump = np.tanh((time_at - middle) / width) if moved else np.exp(-0.5 * ((time_at - middle) / width) ** 2)
                data[channel] += rng.choice([-1.0, 1.0]) * (80e-6 + 200e-6 * rng.random()) * bump
        return data


def standard_positions(channels):
    """Names and positions of a BioSemi cap, head frame."""
    import mne
    montage = mne.channels.make_standard_montage(f"biosemi{channels}")
    info = mne.create_info(montage.ch_names, 500.0, "eeg").set_montage(montage)
    return montage.ch_names, np.array([channel["loc"][:3] for channel in info["chs"]])


def cap(channels):
    """Points spread evenly over the upper two thirds of a head of 9.5 cm."""
    at = (np.arange(channels) + 0.5) / channels
    z = 1.0 - 1.3 * at
    around = np.pi * (1.0 + 5.0**0.5) * np.arange(channels)
    flat = np.sqrt(1.0 - z * z)
    return [f"E{c + 1}" for c in range(channels)], 0.095 * np.stack([flat * np.cos(around), flat * np.sin(around), z], 1)


def write_h5(path, data, names, positions, rate):
    import h5py
    with h5py.File(path, "w") as file:
        group = file.create_group("epochs")
        group["data"] = data
        group["ch_names"] = np.array(names, dtype=h5py.string_dtype())
        group["ch_types"] = np.array(["eeg"] * len(names), dtype=h5py.string_dtype())
        group["ch_pos"] = positions
        group["sfreq"] = float(rate)


def peer(data_path, out_path):
    """The peer's fit and transform, in a process of its own; times and results go to `out_path`."""
    import h5py
    import mne
    from autoreject import AutoReject
    shape = json.loads(Path(out_path).with_suffix(".shape.json").read_text())
    with h5py.File(data_path) as file:
        group = file["epochs"]
        names = [name.decode() for name in group["ch_names"]]
        data, positions, rate = group["data"][:], group["ch_pos"][:], float(group["sfreq"][()])
    info = mne.create_info(names, rate, "eeg")
    for channel, position in zip(info["chs"], positions):
        channel["loc"][:3] = position
    epochs = mne.EpochsArray(data, info, verbose=False)

    def make(cv):
        return AutoReject(n_interpolate=np.array(shape[5]), consensus=np.array(shape[6]), cv=cv,
                          random_state=SEED, n_jobs=options.threads, verbose=False)

    # Starts the workers and imports what they need.
    make(2).fit(mne.EpochsArray(data[:20, :, :20], info, verbose=False))
    start = time.perf_counter()
    fitted = make(shape[4])
    fitted.fit(epochs)
    fit = time.perf_counter() - start
    clean, log = fitted.transform(epochs, return_log=True)
    total = time.perf_counter() - start
    np.savez(out_path, fit=fit, total=total, labels=log.labels, bad_epochs=log.bad_epochs,
             loss=fitted.loss_["eeg"].mean(-1), consensus=fitted.consensus_["eeg"],
             n_interpolate=fitted.n_interpolate_["eeg"], clean=clean.get_data(copy=False))
    Path(out_path).with_suffix(".json").write_text(json.dumps({k: float(v) for k, v in fitted.threshes_.items()}))


def theirs(data, found, shape, cores):
    """Seconds of fit, of fit and transform, and peak memory of one run of the peer."""
    found.with_suffix(".shape.json").write_text(json.dumps(shape))
    script = [sys.executable, Path(__file__).resolve(), "--threads", options.threads, "--peer", data, found]
    _, memory = run(list(map(str, script)), cores)
    times = np.load(found)
    return float(times["fit"]), float(times["total"]), memory


def kept(work, cores):
    """The peer's times on what `nissl bench --keep` left."""
    import autoreject
    machine, entries = results.host(), []
    for kept in results.kept(options.inputs, "autoreject", options.works):
        shape = [None] * 4 + [int(kept.flag("--cv")), kept.numbers("--n-interpolate"), kept.numbers("--consensus")]
        runs = [theirs(kept.input, work / "kept.npz", shape, cores) for _ in range(options.repeats)]
        fits, totals, memories = zip(*runs)
        fit, total = statistics.median(fits), statistics.median(totals)
        entries.append(kept.result(options.threads, totals, max(memories), "fit and transform of epochs in memory, warm workers",
                                   [("fit", fit), ("transform", total - fit)]))
        print(f"{kept.name}: {total:.2f} s", flush=True)
        results.write(options.json, f"autoreject {autoreject.__version__}", entries, machine)


def ours(data, out, shape, cores, more=()):
    listed = lambda values: ",".join(map(repr, values))  # noqa: E731
    command = [options.nissl, "autoreject", data, "-o", out, "--force", "--progress", "none", "-q",
               "--threads", str(options.threads), "--cv", str(shape[4]), "--seed", str(SEED),
               "--n-interpolate", listed(shape[5]), "--consensus", listed(shape[6]), *more]
    return run(list(map(str, command)), cores)


def agreement(theirs, thresholds, out, given):
    """How the run `out` with its own thresholds, and `given` with the peer's, compare with the peer."""
    import h5py
    own, fed = (json.loads((folder / "summary.json").read_text()) for folder in (out, given))
    log = np.load(given / "reject_log.npz", allow_pickle=True)
    same = sum(abs(own["thresholds"][name] - value) <= 1e-9 * value for name, value in thresholds.items())
    finite = [value for row in own["loss"]["eeg"] for value in row if value is not None]
    least = np.nanmin(np.where(np.isfinite(theirs["loss"]), theirs["loss"], np.nan))
    choice = (fed["consensus"]["eeg"] == float(theirs["consensus"])
              and fed["n_interpolate"]["eeg"] == int(theirs["n_interpolate"]))
    labels = np.array_equal(log["labels"], theirs["labels"], equal_nan=True)
    bad = np.array_equal(log["bad_epochs"], theirs["bad_epochs"])
    with h5py.File(given / "epochs.h5") as file:
        clean = file["epochs/data"][:]
    close = clean.shape == theirs["clean"].shape and (
        clean.size == 0 or np.abs(clean - theirs["clean"]).max() <= 1e-9 * np.abs(theirs["clean"]).max())
    yes = lambda equal: "equal" if equal else "**differ**"  # noqa: E731
    return [f"{same} of {len(thresholds)}", f"{100.0 * (min(finite) / least - 1.0):+.3f} %",
            f"{float(theirs['consensus']):g}, {int(theirs['n_interpolate'])}: {yes(choice)}",
            yes(labels and bad), yes(close)]


def one_shape(name, work, cores):
    """A row of the table, and the stages of nissl's last run."""
    shape = SHAPES[name]
    names, positions = standard_positions(shape[0])
    data = work / f"{name}.h5"
    write_h5(data, Recording(positions, shape).piece(0, shape[1]), names, positions, shape[3])
    out, given, found = work / f"{name}-nissl", work / f"{name}-given", work / f"{name}-peer.npz"
    mine, his = [], []
    for _ in range(options.repeats):
        if not options.skip_peer:
            his.append(theirs(data, found, shape, cores)[1:])
        mine.append(ours(data, out, shape, cores, options.flags.split()))
    seconds = statistics.median(s for s, _ in mine)
    row = [name, " x ".join(map(str, (shape[1], shape[0], shape[2]))), f"{seconds:.2f}",
           f"{max(m for _, m in mine) / 2**20:.0f}"]
    if his:
        slow = statistics.median(s for s, _ in his)
        thresholds = json.loads(found.with_suffix(".json").read_text())
        ours(data, given, shape, cores, ["--thresholds", found.with_suffix(".json")])
        row += [f"{slow:.1f}", f"{max(m for _, m in his) / 2**20:.0f}", f"{slow / seconds:.0f}x",
                *agreement(np.load(found), thresholds, out, given)]
    data.unlink()
    return row, stages(out)


def stages(out):
    """Seconds of each stage of a run by its report."""
    report = json.loads((out / "report.json").read_text())
    return report["wall_s"], [(stage["name"], stage["wall_s"], stage["cpu_s"]) for stage in report["stages"]]


def tell_stages(name, wall, timed):
    shares = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds, _ in timed)
    print(f"{name}: {wall:.2f} s by the report; stages (they may overlap): {shares}", flush=True)


def big(work, cores):
    names, positions = cap(BIG[0])
    data, side = work / "big.npy", work / "big"
    recording = Recording(positions, BIG)
    if not data.exists():
        start = time.perf_counter()
        half = data.with_suffix(".part.npy")
        array = np.lib.format.open_memmap(half, "w+", "<f8", (BIG[1], BIG[0], BIG[2]))
        for first in range(0, BIG[1], 100):
            array[first:first + 100] = recording.piece(first, 100)
        array.flush()
        half.rename(data)
        print(f"{data}: made in {time.perf_counter() - start:.0f} s", flush=True)
    electrodes = ["name\tx\ty\tz"] + [f"{n}\t{x!r}\t{y!r}\t{z!r}" for n, (x, y, z) in zip(names, positions.tolist())]
    channels = ["name\ttype\tunits\tstatus"] + [f"{n}\tEEG\tV\tgood" for n in names]
    side.mkdir(exist_ok=True)
    (side / "electrodes.tsv").write_text("\n".join(electrodes) + "\n")
    (side / "channels.tsv").write_text("\n".join(channels) + "\n")
    runs = []
    for _ in range(options.repeats):
        command = [options.nissl, "autoreject", data, "-o", side / "out", "--force", "--progress", "none", "-q",
                   "--threads", options.threads, "--memory", options.memory, "--sfreq", BIG[3],
                   "--channels", side / "channels.tsv", "--electrodes", side / "electrodes.tsv", *options.flags.split()]
        runs.append(run(list(map(str, command)), cores))
        print(f"nissl: {runs[-1][0]:.1f} s, {runs[-1][1] / 2**20:.0f} MiB at most (--memory {options.memory})", flush=True)
    print(f"median of {len(runs)}: {statistics.median(s for s, _ in runs):.1f} s")
    tell_stages("big", *stages(side / "out"))


def main():
    cores = set(sorted(os.sched_getaffinity(0))[:options.threads])
    if len(cores) < options.threads:
        sys.exit(f"--threads {options.threads}: only {len(cores)} core(s) may be used here")
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    if results.wanted(options):
        return kept(work, cores)
    if not Path(options.nissl).exists():
        sys.exit(f"{options.nissl}: not there; build it with cargo build --release")
    if options.big:
        return big(work, cores)
    chosen = list(SHAPES) if options.shapes == "all" else options.shapes.split(",")
    if unknown := [name for name in chosen if name not in SHAPES]:
        sys.exit(f"--shapes: {', '.join(unknown)} unknown; expected {', '.join(SHAPES)}")
    heads = ["shape", "epochs x channels x samples", "nissl s", "MiB"]
    if not options.skip_peer:
        import autoreject
        import mne
        print(f"autoreject {autoreject.__version__}, mne {mne.__version__}, numpy {np.__version__};", end=" ")
        heads += ["peer s", "MiB", "ratio", "thresholds equal", "least loss", "choice", "labels", "cleaned"]
    print(f"{len(cores)} core(s), medians of {options.repeats}")
    print()
    print("| " + " | ".join(heads) + " |")
    print("| --- " * len(heads) + "|", flush=True)
    told = []
    for name in chosen:
        row, timed = one_shape(name, work, cores)
        told.append((name, *timed))
        print("| " + " | ".join(row) + " |", flush=True)
    print()
    if not options.skip_peer:
        print("Thresholds and least loss: nissl's own search against the peer's. Choice (consensus, n_interpolate),",
              "labels and cleaned epochs: nissl given the peer's thresholds.")
    for name, wall, timed in told:
        tell_stages(name, wall, timed)


if __name__ == "__main__":
    if options.peer:
        peer(*options.peer)
    else:
        main()
