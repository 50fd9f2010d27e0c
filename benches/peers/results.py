"""The result file of `nissl bench` ("kind": "nissl-bench"), written for other packages, on the inputs that
`nissl bench --keep DIR` leaves: DIR/COMMAND/SHAPE/command.json beside the input.

    nissl bench --size standard --keep inputs --json ours.json
    python3.11 benches/peers/autoreject.py --inputs inputs --json theirs.json
    nissl bench --from ours.json --against theirs.json --markdown
"""
import fnmatch
import json
import os
import statistics
import sys
from pathlib import Path


class Work:
    """One kept input: its folder and command.json."""

    def __init__(self, path):
        self.folder = path.parent
        self.told = json.loads(path.read_text())
        if self.told.get("kind") != "nissl-bench-input":
            sys.exit(f"{path}: not written by nissl bench --keep")
        self.name = self.told["work"]
        self.input = self.folder / self.told["input"]

    def flag(self, name, default=None):
        """The value of a flag of the command line."""
        words = self.told["argv"] or []
        return words[words.index(name) + 1] if name in words else default

    def numbers(self, name):
        """A list or START:STOP:COUNT as numbers."""
        text = self.flag(name)
        if ":" in text:
            start, stop, count = (float(part) for part in text.split(":"))
            return [start + (stop - start) * at / (count - 1) for at in range(int(count))]
        return [float(part) if "." in part else int(part) for part in text.split(",")]

    def result(self, threads, runs, rss, note, stages=(), wall=None, latency=None):
        """Times of runs as an entry of "works"; `wall` where it is not their median."""
        entry = dict(
            work=self.name, command=self.told["command"], about=self.told["about"], backend="cpu", threads=threads,
            items=self.told["items"], item=self.told["item"], runs_s=list(runs),
            wall_s=statistics.median(runs) if wall is None else wall, least_s=min(runs), most_s=max(runs), cpu_s=None,
            peak_rss=rss, workers=None, note=note, stages=[dict(name=name, wall_s=seconds) for name, seconds in stages])
        return dict(entry, latency=latency) if latency else entry


def kept(folder, command, only=None):
    """The kept inputs of a command, those that `only` (names by commas, * for any part) picks."""
    works = [Work(path) for path in sorted(Path(folder).glob(f"{command}/*/command.json"))]
    wanted = (only or "*").split(",")
    works = [work for work in works if any(fnmatch.fnmatchcase(work.name, pattern) for pattern in wanted)]
    if not works:
        sys.exit(f"{folder}: no input of nissl bench {command} --keep {'' if only is None else 'called ' + only}")
    return works


def host():
    """The machine, as nissl tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return dict(cpu=names[0] if names else os.uname().machine, level="", cores_allowed=len(os.sched_getaffinity(0)),
                ram=ram, slurm={})


def write(path, tool, works, machine):
    """The whole file; `machine` is host() as it was before affinities were set."""
    Path(path).write_text(json.dumps(dict(
        kind="nissl-bench", schema=1, tool=tool, argv=sys.argv, size="", host=machine, backend="cpu", ceilings=[],
        works=works, noise=dict(spread=0.0, noisy=False), warnings=[]), indent=1) + "\n")


def add_flags(parser):
    """The flags of this mode."""
    parser.add_argument("--inputs", help="time the peer on the inputs that nissl bench --keep left in this folder; needs --json")
    parser.add_argument("--json", help="result file for nissl bench --against")
    parser.add_argument("--works", help="of these inputs: names by commas, * for any part")


def wanted(options):
    """True where a result file is asked for."""
    if bool(options.inputs) != bool(options.json):
        sys.exit("--inputs and --json go together")
    return bool(options.json)
