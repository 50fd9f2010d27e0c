"""Runs a program on given cores and measures it: seconds and peak memory, its children included."""
import os
import subprocess
import sys
import threading
import time
from pathlib import Path


def enter_venv(venv, requirements, script):
    """Goes on in the virtual environment `venv`, which is made where there is none."""
    python = Path(venv).absolute() / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    if Path(sys.prefix) != python.parent.parent:
        os.execv(python, [str(python), str(script), *sys.argv[1:]])


def tree_rss(root):
    """Resident bytes of a process and those below it, from /proc."""
    total, queue, page = 0, [root], os.sysconf("SC_PAGE_SIZE")
    while queue:
        pid = queue.pop()
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
            for task in Path(f"/proc/{pid}/task").iterdir():
                queue += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, IndexError):
            pass
    return total


def run(command, cores):
    """Runs `command` on `cores`; seconds, peak memory of all its processes in bytes."""
    most, done = 0, threading.Event()
    start = time.perf_counter()
    process = subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, cores),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def watch():
        nonlocal most
        while not done.wait(0.05):
            most = max(most, tree_rss(process.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    said = process.stdout.read()
    # The system's own account of the peak, for a process too quick for the watcher.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {os.waitstatus_to_exitcode(status)}:\n{said[-2000:]}")
    return seconds, max(most, usage.ru_maxrss * 1024)
