"""Times `nissl decode --stream` beside the numerical methods of realtime_decoder: same recording, same machine, one run.

    cargo build --release
    python3.11 benches/peers/stream.py --source CHECKOUT [--minutes 30] [--electrodes 32] [--marks 50000]

CHECKOUT is a clone of LorenFrankLab/realtime_decoder at commit 7534396; the interpreter needs numpy, scipy and
pandas. Its processes, MPI and network are left out (mpi4py is replaced by a stub): an event loop calls its encoder
and decoder classes, spike by spike and tick by tick, after the buffers were filled with the marks of the recording's
beginning. It does the last --peer-ticks ticks of the recording, for it takes milliseconds a spike.

nissl replays the whole recording from a file of event records, as fast as it can or, with --paced, at its own pace
as a rig would (it then takes as long as the recording); its buffers fill as it goes, so that the last third of the
ticks meets full ones. Latency is from a tick's arrival to its record in the queue, work the encoding of the tick's
spikes besides: what the peer's times are compared with. At full speed only the work says something: latency is then
the wait in the queue.
"""
import argparse
import json
import logging
import statistics
import struct
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np

CLOCK, TICK = 30_000, 180
ARMS = [[0, 8], [13, 24], [29, 40]]
# Out along the stem and one arm and back, then the other.
LAP = [*range(0, 9), *range(13, 25), *range(24, 12, -1), *range(8, -1, -1), *range(0, 9), *range(29, 41),
       *range(40, 28, -1), *range(8, -1, -1)]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--source", help="checkout of realtime_decoder; without it nissl alone")
parser.add_argument("--minutes", type=float, default=30.0)
parser.add_argument("--electrodes", type=int, default=32)
parser.add_argument("--marks", type=int, default=50_000, help="room for marks of each electrode")
parser.add_argument("--peer-ticks", type=int, default=500)
parser.add_argument("--paced", action="store_true", help="nissl keeps to the recording's time")
parser.add_argument("--flags", default="", help="more flags for nissl, in quotes: '--realtime-priority 50 --pin-core 1'")
parser.add_argument("--nissl", default="target/release/nissl")
parser.add_argument("--work", default="target/peers-stream", help="folder for recording and results; they stay")
options = parser.parse_args()


def recording():
    """Positions at 30 Hz, spikes that fill the buffers within two thirds of the time; times in samples."""
    rng = np.random.default_rng(42)
    samples = int(options.minutes * 60 * 30)
    at = 3_000_000 + np.arange(samples) * 1000
    place = np.array(LAP)[(np.arange(samples) // 3) % len(LAP)].astype(float)
    rate = 1.5 * options.marks / (options.minutes * 60)
    trains = []
    for electrode in range(1, options.electrodes + 1):
        units, valid = rng.uniform(60, 220, (4, 4)), [b for low, high in ARMS for b in range(low, high + 1)]
        centre = rng.choice(valid, 4)
        likely = 0.1 + np.exp(-0.5 * (place[:, None] - centre) ** 2 / 4)
        count = rng.poisson(likely * (rate / 30 / likely.sum(1).mean()))
        for unit in range(4):
            times = np.repeat(at, count[:, unit]) + rng.integers(1, 1000, count[:, unit].sum())
            marks = units[unit] + rng.normal(0, 12, (times.size, 4))
            trains.append((times, np.full(times.size, electrode), marks.astype("<f4")))
    times, electrodes, marks = (np.concatenate(part) for part in zip(*trains))
    order = np.argsort(times, kind="stable")
    return at, place, times[order], electrodes[order], marks[order]


def write_events(path, at, place, times, electrodes, marks):
    """The stream's records (see examples/write_events.py), in time order."""
    head = [("kind", "u1"), ("zero", "u1"), ("channel", "<u2"), ("count", "<u2"), ("zero2", "<u2"), ("time", "<i8")]
    positions = np.zeros(at.size, [*head, ("values", "<f4", 2)])
    positions["kind"], positions["count"], positions["time"] = 1, 2, at
    positions["values"][:, 0], positions["values"][:, 1] = place, 25.0
    spikes = np.zeros(times.size, [*head, ("values", "<f4", 4)])
    spikes["kind"], spikes["count"], spikes["time"] = 2, 4, times
    spikes["channel"], spikes["values"] = electrodes, marks
    with open(path, "wb") as file:
        file.write(b"NISSLEV1" + struct.pack("<d", CLOCK))
        first = 0
        # All spikes between two positions follow the earlier one.
        ends = np.searchsorted(times, np.append(at[1:], np.iinfo(np.int64).max))
        for sample, end in enumerate(ends):
            file.write(positions[sample].tobytes())
            file.write(spikes[first:end].tobytes())
            first = end
        file.write(struct.pack("<BBHHHq", 5, 0, 0, 0, 0, int(at[-1]) + 1000))


def config():
    names = [f"{e}" for e in range(1, options.electrodes + 1)]
    return dict(
        algorithm="clusterless_classifier", datasource="none", preloaded_model=False, frozen_model=False,
        rank=dict(supervisor=[0], ripples=[3], decoders=[1], encoders=[4], gui=[2]),
        decoder_assignment={"1": [int(name) for name in names]},
        sampling_rate=dict(spikes=CLOCK, lfp=1500, position=30),
        encoder=dict(spk_amp=100, mark_dim=4, bufsize=options.marks, timings_bufsize=100, vel_thresh=10,
                     num_pos_points=150, use_channel_dist_from_max_amp=2,
                     position=dict(lower=0, upper=41, num_bins=41, arm_ids=[0, 1, 2], arm_coords=ARMS),
                     mark_kernel=dict(mean=0, std=20, use_filter=True, n_std=1, n_marks_min=10), dead_channels={}),
        decoder=dict(bufsize=2000, timings_bufsize=100, cred_int_bufsize=10, num_pos_points=150,
                     time_bin=dict(samples=TICK, delay_samples=TICK)),
        clusterless_decoder=dict(state_labels=["state"], transmat_bias=1),
        clusterless_classifier=dict(
            state_labels=["stationary", "continuous", "fragmented"],
            discrete_transition=dict(type=["strong_diagonal"], diagonal=0.98),
            continuous_transition=dict(type=[["identity", "random_walk", "uniform"]] * 2 + [["uniform"] * 3],
                                       cm_per_bin=5, gaussian_std=6)),
        kinematics=dict(smooth_x=True, smooth_y=True, smooth_speed=False, smoothing_filter=[0.31, 0.29, 0.25, 0.15],
                        scale_factor=0.2644),
        cred_interval=dict(val=0.5, max_num=5),
        display=dict(encoder=dict.fromkeys(["encoding_spikes", "total_spikes", "occupancy", "position"], 10**9),
                     decoder=dict.fromkeys(["total_spikes", "occupancy"], 10**9)))


def peer(settings, at, place, times, electrodes, marks):
    """Seconds of each spike's estimate and of each tick, buffers full."""
    np.float = float  # the name that the package uses was removed from numpy
    stub = types.ModuleType("mpi4py")
    stub.MPI = types.SimpleNamespace(Comm=object, COMM_WORLD=None, Status=object, BYTE=None)
    sys.modules["mpi4py"] = stub
    sys.path.insert(0, options.source)
    from realtime_decoder import decoder_process, encoder_process, messages, position
    settings = dict(settings, decoder_assignment={1: settings["decoder_assignment"]["1"]})
    structure = position.PositionBinStruct(0, 41, 41)
    encoders = {e: encoder_process.Encoder(settings, e, structure) for e in settings["decoder_assignment"][1]}
    decoder = decoder_manager(settings, decoder_process.DecoderManager, messages)
    message = np.zeros(1, dtype=messages.get_dtype("SpikePosJointProb", config=settings))
    ticks = at[-1] - TICK * np.arange(options.peer_ticks)[::-1]
    start = ticks[0] - 3 * TICK
    before = np.searchsorted(times, start)
    known = np.searchsorted(at, times, "right") - 1
    for sample in range(np.searchsorted(at, start)):
        for encoder in encoders.values():
            encoder.update_position(place[sample], True)
        decoder._decoder.update_position(place[sample], True)
        decoder._current_pos, decoder._current_vel = place[sample], 25.0
    for encoder in encoders.values():
        encoder.update_position(place[known[before]], True)
    for spike in range(before):
        encoders[electrodes[spike]].add_new_mark(marks[spike].astype(float))
    events = [(t, 1, i) for i, t in enumerate(times[before:], before)] + [(t, 2, 0) for t in ticks]
    spike_s, tick_s, both_s, pending = [], [], [], 0.0
    for when, kind, i in sorted(events):
        began = time.perf_counter()
        if kind == 1:
            estimate = encoders[electrodes[i]].get_joint_prob(marks[i].astype(float))
            spike_s.append(time.perf_counter() - began)
            pending += spike_s[-1]
            if estimate is None:
                continue
            message["timestamp"], message["elec_grp_id"], message["current_pos"] = when, electrodes[i], place[known[i]]
            message["cred_int"], message["hist"] = 1, estimate.hist
            decoder._process_spike(message)
        else:
            decoder._process_lfp_timestamp(when)
            tick_s.append(time.perf_counter() - began)
            both_s.append(pending + tick_s[-1])
            pending = 0.0
    return spike_s, tick_s, both_s


def decoder_manager(settings, kind, messages):
    """The package's decoder without its processes."""
    manager = kind.__new__(kind)
    manager._config, manager.rank = settings, 1
    silent = types.SimpleNamespace(**dict.fromkeys(["send_posterior", "send_joint_prob", "send_velocity_position",
                                                    "send_dropped_spikes"], lambda *_: None))
    manager.send_interface, manager.write_record = silent, lambda *_, **__: None
    manager._class_log = logging.getLogger("decoder")
    type(manager).class_log = property(lambda self: self._class_log)
    manager._posterior_msg = np.zeros(1, dtype=messages.get_dtype("Posterior", config=settings))
    manager._dropped_spikes_msg = np.zeros(1, dtype=messages.get_dtype("DroppedSpikes"))
    manager._init_decoder()
    manager._spike_buf = np.zeros((settings["decoder"]["bufsize"], 41 + 5))
    manager._sb_ind = manager._dropped_spikes = manager._duplicate_spikes = manager._spike_msg_ct = 0
    manager._task_state, manager._current_pos, manager._current_vel = 1, 0, 0
    manager._raw_x = manager._raw_y = manager._raw_x2 = manager._raw_y2 = manager._x = manager._y = 0
    manager._times, manager._times_ind = {}, {}
    manager._init_params()
    manager._init_timings()
    manager._set_up_trodes()
    return manager


def row(name, seconds):
    ordered = np.sort(seconds)
    cells = [statistics.median(ordered), *np.quantile(ordered, [0.99, 0.999]), ordered[-1]]
    print(f"| {name} | " + " | ".join(f"{1e6 * value:.1f}" for value in cells) + f" | {len(ordered)} |")


def main():
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    made = recording()
    events, settings, report = work / "events.ns", work / "config.json", work / "report.json"
    write_events(events, *made)
    settings.write_text(json.dumps(config()))
    print(f"{made[2].size} spikes on {options.electrodes} electrodes, {options.minutes:g} minutes, {options.marks} marks each")
    print("\n| microseconds | p50 | p99 | p99.9 | max | count |\n| --- | --- | --- | --- | --- | --- |")
    if options.source:
        for name, seconds in zip(["peer, estimate of a spike", "peer, tick", "peer, tick and its spikes"],
                                 peer(config(), *made)):
            row(name, seconds)
    subprocess.run([options.nissl, "decode", "--stream", events, "-o", work / "ticks.npy", "--force", "-q",
                    "--realtime-config", settings, "--report", report, *["--paced"] * options.paced,
                    *options.flags.split()], check=True)
    counts = json.loads(report.read_text())["outcome"]["counts"]
    for name in ["latency", "work"]:
        found = counts[name]
        cells = [f"{1e6 * found[key]:.1f}" for key in ("p50_s", "p99_s", "p999_s", "max_s")]
        print(f"| nissl, {name} | " + " | ".join(cells) + f" | {found['count']} |")
        print(f"nissl, {name}: {found['missed']} missed", file=sys.stderr)


if __name__ == "__main__":
    main()
