"""Times `nissl decode` beside non_local_detector: same recordings, same cores, one run.

    cargo build --release
    python3.11 benches/peers/decode.py --venv peers-decode [--suites likelihood,shapes,hmm] [--spikes 50000]

The venv holds benches/peers/requirements-decode.txt and the peer (see there). Suites:

    likelihood  one electrode of --spikes encoding and as many (or --decoding) decoding spikes, 100 to 5000 bins on a line or in
                an arena, 2 to 10 features: the peer's likelihood function against nissl's stage of that name
    shapes      tiny to realistic of the peer's own profiling script (2 features, a line): fit, likelihood,
                filter and smoother together against the whole nissl process
    hmm         filter and smoother, few spikes, --rows time bins of --hmm-bins bins; the peer does --peer-rows
                of them and its time is scaled to --rows
    production  nissl alone: 64 electrodes, 1 million time bins of 2 ms, 3.2 million spikes of 8 features, 2000
                bins in two dimensions; all of it encodes. Made in pieces (160 MB); the posterior takes 8 GB

The peer runs as its users run it (float32, block_size 10000), in a process of its own on the same cores. Cold is
its first call in a process, compilation included; warm the median of the calls after it. Imports do not count.
nissl's time is a whole process where it says so (reading, fit, likelihood, filter, smoother, writing), else the
stages of its report; they may overlap. Peak memory counts all processes of a program.

    python3.11 benches/peers/decode.py --venv peers-decode --inputs DIR --json theirs.json

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

SEED = 42
HERE = Path(__file__).resolve().parent
# Kernel width and scatter of the marks, by their number: such that spikes are above the floor of 1e-15.
MARKS = {2: (20.0, 12.0), 4: (24.0, 14.0), 8: (4.0, 2.5), 10: (3.0, 1.8)}
# Place bins of 2 cm: columns, rows.
PLACES = {"100": (100, 0), "500": (500, 0), "2000": (2000, 0), "10x10": (10, 10), "50x40": (50, 40), "100x50": (100, 50)}
LIKELIHOODS = [("100", 4), ("500", 4), ("2000", 4), ("10x10", 4), ("50x40", 2), ("50x40", 4), ("50x40", 8),
               ("50x40", 10), ("100x50", 4)]
# name: position samples, time bins, electrodes, encoding and decoding spikes of each, bins
SHAPES = {
    "tiny": (100, 50, 4, 20, 10, 100),
    "small": (500, 100, 8, 50, 30, 200),
    "medium": (2000, 500, 16, 200, 100, 500),
    "large": (5000, 1000, 32, 500, 300, 1000),
    "realistic": (10000, 2000, 64, 1000, 400, 2000),
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--suites", default="likelihood,shapes,hmm", help="by commas; production is never the default")
parser.add_argument("--only", help="rows whose name contains one of these, by commas")
parser.add_argument("--spikes", type=int, default=4000, help="encoding and decoding spikes of the likelihood suite")
parser.add_argument("--decoding", type=int, help="decoding spikes of the likelihood suite, if not as many as --spikes")
parser.add_argument("--rows", type=int, default=100_000, help="time bins of the hmm suite")
parser.add_argument("--hmm-bins", default="2000,50x40", help="place bins of the hmm suite, by commas")
parser.add_argument("--peer-rows", type=int, default=2000, help="of these, what the peer does")
parser.add_argument("--repeats", type=int, default=3, help="warm calls of the peer, and runs of nissl; medians")
parser.add_argument("--nissl-repeats", type=int, help="runs of nissl, if not as many as --repeats")
parser.add_argument("--threads", type=int, default=2, help="cores for both")
parser.add_argument("--skip-peer", action="store_true", help="only nissl")
parser.add_argument("--skip-log", action="store_true", help="not the peer's log variant, which may want all memory there is")
parser.add_argument("--skip-nissl", action="store_true", help="only the peer")
parser.add_argument("--memory", default="8G", help="nissl's --memory in the production suite")
parser.add_argument("--flags", default="", help="more flags for nissl, in quotes")
parser.add_argument("--nissl", default="target/release/nissl")
parser.add_argument("--venv", help="where the peer is; default: this interpreter")
parser.add_argument("--work", default="target/peers-decode", help="folder for recordings and results; they stay")
parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
results.add_flags(parser)
options = parser.parse_args()

if options.venv:
    enter_venv(options.venv, HERE / "requirements-decode.txt", Path(__file__).resolve())
os.environ.update(JAX_PLATFORMS="cpu", TQDM_DISABLE="1", PYTHONWARNINGS="ignore")

import h5py  # noqa: E402
import numpy as np  # noqa: E402


# ---- recordings ----


class Path2:
    """A walk through all place bins of 2 cm, on a line or in an arena; position at any time."""

    def __init__(self, place):
        columns, rows = PLACES[place]
        self.size = np.array([2.0 * columns] + ([2.0 * rows] if rows else []))
        # Fast along x, slow along y, without a common period.
        self.period = np.array([7.31, 7.31 * 13.618]) if rows else np.array([0.0731 * columns])

    def at(self, t):
        """[time][axis]."""
        phase = t[:, None] / self.period[: self.size.size]
        return self.size * np.abs(2.0 * (phase - np.floor(phase + 0.5)))

    def samples(self, t):
        position = self.at(t)
        # The grid spans the samples: both ends must be among them.
        position[0], position[-1] = 0.0, self.size
        return position


class Electrode:
    """Units with a mark and a place each."""

    def __init__(self, rng, walk, width, units=8):
        self.rng, self.walk, self.width = rng, walk, width
        self.scatter = MARKS[width][1]
        self.marks = rng.uniform(40.0, 190.0, (units, width))
        self.places = rng.uniform(0.1, 0.9, (units, walk.size.size)) * walk.size

    def spikes(self, start, stop, count):
        """Sorted times and their marks, f32."""
        t = np.sort(self.rng.uniform(start, stop, count))
        far = np.sum((self.walk.at(t)[:, None] - self.places) ** 2, 2)
        likely = np.cumsum(np.exp(-0.5 * far / 15.0**2) + 0.02, 1)
        unit = (self.rng.random(count)[:, None] * likely[:, -1:] > likely).sum(1)
        marks = self.marks[unit] + self.scatter * self.rng.standard_normal((count, self.width))
        return t, marks.astype("f4")


def write_session(path, position_time, position, encoding, trains, time):
    """The recording in the layout that nissl and the peer's side read; `trains` yields (times, marks)."""
    with h5py.File(path, "w") as f:
        f.attrs["layout"] = "decode-inputs-1"
        f["position/time"], f["position/data"] = position_time, position
        f["position/is_encoding"] = encoding
        f["decode/time"] = time
        for e, (times, marks) in enumerate(trains):
            f[f"electrodes/{e}/spike_times"], f[f"electrodes/{e}/features"] = times, marks


def likelihood_session(path, place, width, spikes, rows=1000, decoding=None):
    """One electrode; positions and encoding spikes in 1000 s, then `rows` time bins with the others."""
    walk = Path2(place)
    t = np.arange(50_000) / 50.0
    electrode = Electrode(np.random.default_rng(SEED), walk, width)
    time = 1000.0 + np.arange(rows) * 0.02
    a, b = electrode.spikes(0.0, 999.0, spikes), electrode.spikes(time[0], time[-1], decoding or spikes)
    write_session(path, t, walk.samples(t), np.ones(t.size, bool),
                  [tuple(np.concatenate(both) for both in zip(a, b))], time)
    return dict(position_std=6.0, waveform_std=MARKS[width][0], bin_size=2.0)


def shape_session(path, shape):
    """The peer's profiling script: a line walked once in 100 s, marks of unit scatter; then 20 s to decode."""
    samples, rows, electrodes, encoding, decoding, bins = shape
    rng = np.random.default_rng(SEED)
    t = np.linspace(0.0, 100.0, samples)
    trains = []
    for _ in range(electrodes):
        n, m = rng.poisson(encoding), rng.poisson(decoding)
        times = np.concatenate([np.sort(rng.uniform(0.0, 100.0, n)), 101.0 + np.sort(rng.uniform(0.0, 20.0, m))])
        trains.append((times, rng.normal(0.0, 1.0, (n + m, 2))))
    write_session(path, t, np.linspace(0.0, 100.0, samples)[:, None], np.ones(samples, bool), trains,
                  101.0 + np.linspace(0.0, 20.0, rows))
    return dict(position_std=12.5**0.5, waveform_std=24.0, bin_size=100.0 / bins)


def production_session(path):
    """2000 s; each electrode is made and written before the next."""
    walk = Path2("50x40")
    t = np.arange(1_000_000) * 0.002
    half = path.with_suffix(".part.h5")
    trains = (Electrode(np.random.default_rng([SEED, e]), walk, 8).spikes(0.0, t[-1], 50_000) for e in range(64))
    write_session(half, t, walk.samples(t), np.ones(t.size, bool), trains, t)
    half.rename(path)


# ---- the two programs ----


def calls(function, again):
    """Seconds of the first call and the median of the next `again`, and the last result."""
    import jax
    seconds = []
    for _ in range(1 + again):
        start = time.perf_counter()
        result = function()
        jax.block_until_ready(result)
        seconds.append(time.perf_counter() - start)
    return seconds[0], statistics.median(seconds[1:] or seconds), result


def peer(spec_path, out_path):
    """The peer's fit, likelihood, filter and smoother, in a process of its own."""
    from non_local_detector import core
    from non_local_detector.environment import Environment
    from non_local_detector.likelihoods import clusterless_kde as kde
    from non_local_detector.models.decoder import ClusterlessDecoder
    spec = json.loads(Path(spec_path).read_text())
    with h5py.File(spec["session"]) as f:
        position_time, position, t = f["position/time"][:], f["position/data"][:], f["decode/time"][:]
        count = len(f["electrodes"])
        times = [f[f"electrodes/{e}/spike_times"][:] for e in range(count)]
        marks = [f[f"electrodes/{e}/features"][:] for e in range(count)]
    t = t[: spec.get("rows")]
    parameters = dict(position_std=spec["position_std"], waveform_std=spec["waveform_std"], block_size=10_000,
                      disable_progress_bar=True)
    model = ClusterlessDecoder(environments=Environment(environment_name="", place_bin_size=spec["bin_size"]),
                               clusterless_algorithm_params=parameters)
    # The grid and the transition matrix count for neither side.
    model._fit(position)
    env = model.environments[0]
    found = {}
    again = options.repeats
    # Where the likelihood alone is wanted, the rest is done once, for the posterior.
    rest = 0 if spec["alone"] else again
    *found["fit"], fitted = calls(lambda: kde.fit_clusterless_kde_encoding_model(
        position_time=position_time, position=position, spike_times=times, spike_waveform_features=marks,
        environment=env, **parameters), rest)
    *found["likelihood"], ll = calls(lambda: kde.predict_clusterless_kde_log_likelihood(
        t, position_time, position, times, marks, **fitted, is_local=False), again)
    if spec["log"]:
        from non_local_detector.likelihoods import clusterless_kde_log as log
        other = log.fit_clusterless_kde_encoding_model(
            position_time=position_time, position=position, spike_times=times, spike_waveform_features=marks,
            environment=env, **parameters)
        *found["log"], _ = calls(lambda: log.predict_clusterless_kde_log_likelihood(
            t, position_time, position, times, marks, **other, is_local=False), again)
    keep = model.is_track_interior_state_bins_
    *found["hmm"], result = calls(lambda: core.chunked_filter_smoother(
        time=t, state_ind=model.state_ind_[keep], initial_distribution=model.initial_conditions_[keep],
        transition_matrix=model.continuous_state_transitions_[np.ix_(keep, keep)], log_likelihood_func=None,
        log_likelihood_args=(), log_likelihoods=ll), rest)
    found["bins"] = int(keep.sum())
    np.save(Path(out_path).with_suffix(".npy"), result[0])
    Path(out_path).write_text(json.dumps(found))


def theirs(session, out, parameters, cores, rows=None, alone=False):
    spec = out.with_suffix(".spec.json")
    spec.write_text(json.dumps(dict(parameters, session=str(session), rows=rows, alone=alone, log=alone and not options.skip_log)))
    command = [sys.executable, Path(__file__).resolve(), "--repeats", options.repeats, "--peer", spec, out]
    _, memory = run(list(map(str, command)), cores)
    return dict(json.loads(out.read_text()), memory=memory)


def ours(session, out, parameters, cores, more=()):
    """Median seconds, peak memory and the last report of nissl on the recording."""
    report = out.with_suffix(".report.json")
    command = [options.nissl, "decode", session, "-o", out, "--force", "--progress", "none", "-q", "--model", "decoder",
               "--position-std", parameters["position_std"], "--waveform-std", parameters["waveform_std"],
               "--bin-size", parameters["bin_size"], "--threads", options.threads, "--report", report,
               *options.flags.split(), *more]
    runs = [run(list(map(str, command)), cores) for _ in range(options.nissl_repeats or options.repeats)]
    return (statistics.median(s for s, _ in runs), max(m for _, m in runs), json.loads(report.read_text()))


def stage(report, *words):
    """Seconds of the stages whose name holds one of the words."""
    return sum(s["wall_s"] for s in report["stages"] if any(word in s["name"] for word in words))


def agreement(out, expected):
    """Largest difference of the posterior from the peer's, and rows whose best bin differs."""
    with h5py.File(out) as f:
        mine = f["acausal_posterior"][: expected.shape[0]]
    mine = mine[:, np.isfinite(mine).any(0)]
    if mine.shape != expected.shape:
        return f"shapes {mine.shape}, {expected.shape}"
    return f"{np.abs(mine - expected).max():.1e}, {int((mine.argmax(1) != expected.argmax(1)).sum())}"


def mib(amount):
    return f"{amount / 2**20:.0f}"


def seconds(value):
    return f"{value:.3g}"


class Table:
    """Rows as they come, stages of nissl's runs after them."""

    def __init__(self, *heads):
        self.told = []
        print("\n| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|", flush=True)

    def row(self, *cells):
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)

    def keep(self, name, report):
        listed = ", ".join(f"{s['name']} {s['wall_s']:.3g} ({s['cpu_s']:.3g})" for s in report["stages"])
        self.told.append(f"{name}: {report['wall_s']:.3g} s by the report; stages, wall (cpu): {listed}")

    def end(self):
        print("\n" + "\n".join(self.told), flush=True)


def chosen(names):
    wanted = options.only.split(",") if options.only else [""]
    return [name for name in names if any(word in name for word in wanted)]


# ---- suites ----


def likelihood(work, cores):
    n = options.spikes
    m = options.decoding or n
    table = Table("bins x features", "peer cold s", "warm", "log variant warm", "MiB", "nissl likelihood s",
                  "process s", "MiB", "ratio", "pairs/s", "posterior differs, best bins")
    listed = {f"{place} d{width}": (place, width) for place, width in LIKELIHOODS}
    for name in chosen(listed):
        place, width = listed[name]
        session, out = work / "likelihood.h5", work / "likelihood.nc"
        parameters = likelihood_session(session, place, width, n, decoding=m)
        cells = ["-"] * 10
        his = None if options.skip_peer else theirs(session, out.with_suffix(".peer.json"), parameters, cores, alone=True)
        if his:
            log = seconds(his["log"][1]) if "log" in his else "-"
            cells[:4] = [*map(seconds, his["likelihood"]), log, mib(his["memory"])]
        if not options.skip_nissl:
            whole, memory, report = ours(session, out, parameters, cores)
            mine = stage(report, "likelihood")
            cells[4:7] = [seconds(mine), seconds(whole), mib(memory)]
            cells[8] = f"{n * m / mine:.2e}" if mine else "-"
            table.keep(name, report)
            if his:
                cells[7] = f"{his['likelihood'][1] / mine:.1f}x" if mine else "-"
                cells[9] = agreement(out, np.load(out.with_suffix(".peer.npy")))
        table.row(name, *cells)
    table.end()
    print(f"One electrode, {n} x {m} spikes, 1000 time bins.")


def shapes(work, cores):
    table = Table("shape", "peer cold s", "warm", "of it likelihood", "MiB", "nissl process s", "of it likelihood", "MiB",
                  "ratio to warm", "posterior differs, best bins")
    for name in chosen(SHAPES):
        session, out = work / "shape.h5", work / "shape.nc"
        parameters = shape_session(session, SHAPES[name])
        cells = ["-"] * 9
        his = None if options.skip_peer else theirs(session, out.with_suffix(".peer.json"), parameters, cores)
        if his:
            cold, warm = (sum(his[part][k] for part in ("fit", "likelihood", "hmm")) for k in (0, 1))
            cells[:4] = [seconds(cold), seconds(warm), seconds(his["likelihood"][1]), mib(his["memory"])]
        if not options.skip_nissl:
            whole, memory, report = ours(session, out, parameters, cores)
            cells[4:7] = [seconds(whole), seconds(stage(report, "likelihood")), mib(memory)]
            table.keep(name, report)
            if his:
                cells[7:] = [f"{warm / whole:.1f}x", agreement(out, np.load(out.with_suffix(".peer.npy")))]
        table.row(name, *cells)
    table.end()


def hmm(work, cores):
    rows, part = options.rows, min(options.peer_rows, options.rows)
    table = Table("bins", "peer cold s", "warm", f"scaled to {rows} rows", "MiB", "nissl filter + smoother s", "process s",
                  "MiB", "ratio", "posterior differs, best bins")
    for name in chosen(options.hmm_bins.split(",")):
        session, out = work / "hmm.h5", work / "hmm.nc"
        parameters = likelihood_session(session, name, 4, 1000, rows, decoding=rows // 50)
        cells = ["-"] * 9
        his = None
        if not options.skip_peer:
            his = theirs(session, out.with_suffix(".peer.json"), parameters, cores, rows=part)
            scaled = his["hmm"][1] * rows / part
            cells[:4] = [*map(seconds, his["hmm"]), seconds(scaled), mib(his["memory"])]
        if not options.skip_nissl:
            whole, memory, report = ours(session, out, parameters, cores)
            mine = stage(report, "filter", "smooth")
            cells[4:7] = [seconds(mine), seconds(whole), mib(memory)]
            table.keep(name, report)
            if his:
                cells[7] = f"{scaled / mine:.1f}x" if mine else "-"
                if part == rows:
                    cells[8] = agreement(out, np.load(out.with_suffix(".peer.npy")))
            out.unlink()
        table.row(name, *cells)
    table.end()
    print(f"The peer did {part} rows; its smoother ends there, so posteriors are compared only where that is all.")


def production(work, cores):
    session, out = work / "production.h5", work / "production.nc"
    if not session.exists():
        start = time.perf_counter()
        production_session(session)
        print(f"{session}: made in {time.perf_counter() - start:.0f} s", flush=True)
    table = Table("run", "nissl process s", "MiB", "--memory", "spike pairs/s", "output GB")
    parameters = dict(position_std=6.0, waveform_std=MARKS[8][0], bin_size=2.0)
    whole, memory, report = ours(session, out, parameters, cores, ["--memory", options.memory])
    pairs = 64 * 50_000**2
    table.row("production", f"{whole:.1f}", mib(memory), options.memory, f"{pairs / whole:.2e}",
              f"{out.stat().st_size / 1e9:.1f}")
    table.keep("production", report)
    table.end()
    out.unlink()


def kept(work, cores):
    """The peer's times on what `nissl bench --keep` left: warm, of fit, likelihood, filter and smoother together."""
    machine, entries = results.host(), []
    for kept in results.kept(options.inputs, "decode", options.works):
        parameters = {name: float(kept.flag("--" + name.replace("_", "-"))) for name in ("position_std", "waveform_std", "bin_size")}
        found = theirs(kept.input, work / "kept.peer.json", parameters, cores)
        parts = [(name, found[name][1]) for name in ("fit", "likelihood", "hmm")]
        warm, cold = (sum(found[name][at] for name, _ in parts) for at in (1, 0))
        note = "warm calls of fit, likelihood, filter and smoother, arrays in memory; compilation and imports not counted"
        entries.append(kept.result(options.threads, [warm], found["memory"], note, parts))
        print(f"{kept.name}: {warm:.3g} s warm, {cold:.3g} s cold", flush=True)
        results.write(options.json, f"non_local_detector {peer_version()}", entries, machine)


def peer_version():
    from importlib.metadata import version
    return version("non_local_detector")


SUITES = dict(likelihood=likelihood, shapes=shapes, hmm=hmm, production=production)


def main():
    cores = set(sorted(os.sched_getaffinity(0))[:options.threads])
    if len(cores) < options.threads:
        sys.exit(f"--threads {options.threads}: only {len(cores)} core(s) may be used here")
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    if results.wanted(options):
        return kept(work, cores)
    suites = options.suites.split(",")
    if unknown := [name for name in suites if name not in SUITES]:
        sys.exit(f"--suites: {', '.join(unknown)} unknown; expected {', '.join(SUITES)}")
    if not options.skip_nissl and not Path(options.nissl).exists():
        sys.exit(f"{options.nissl}: not there; build it with cargo build --release")
    if not options.skip_peer and suites != ["production"]:
        from importlib.metadata import PackageNotFoundError, version
        try:
            print(f"non_local_detector {version('non_local_detector')}, jax {version('jax')};", end=" ")
        except PackageNotFoundError as missing:
            sys.exit(f"{missing}: see {HERE / 'requirements-decode.txt'}, or --skip-peer")
    print(f"{len(cores)} core(s), medians of {options.repeats}")
    for name in suites:
        print(f"\n{name}")
        SUITES[name](work, cores)


if __name__ == "__main__":
    if options.peer:
        peer(*options.peer)
    else:
        main()
