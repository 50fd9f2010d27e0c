"""Compiles the CUDA sources with NVRTC, which needs no GPU.

    nvrtc.py check            every src/kernels/**/*.cu for compute_80, sm_90 and sm_100, the last two to
                              machine code, whose registers, spills and shared memory are printed
    nvrtc.py ptx              writes the embedded PTX beside each source (FILE.ptx.gz)
    nvrtc.py ptx --check      fails where an embedded PTX is not what its source gives

NVRTC is found in the packages nvidia-cuda-nvrtc (check) and nvidia-cuda-nvrtc-cu12 (ptx), or at NVRTC.
"""

import ctypes, glob, gzip, os, re, sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src" / "kernels"
# As src/backend/cuda compiles them.
OPTIONS = ["--std=c++17", "--fmad=false"]
MOST_SHARED = 48 << 10


class Nvrtc:
    def __init__(self, version):
        at = os.environ.get("NVRTC") or self.installed(version)
        self.library = ctypes.CDLL(at)
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        self.version = f"{major.value}.{minor.value}"

    @staticmethod
    def installed(version):
        for folder in sys.path:
            found = sorted(glob.glob(f"{folder}/nvidia/*/lib/libnvrtc.so.{version}"))
            if found:
                return found[0]
        raise SystemExit(f"nvrtc.py: no libnvrtc.so.{version}; install its package or set NVRTC")

    def call(self, name, *arguments):
        code = getattr(self.library, name)(*arguments)
        if code:
            raise RuntimeError(f"{name}: {code}")

    def text(self, program, what):
        size = ctypes.c_size_t()
        self.call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
        room = ctypes.create_string_buffer(size.value)
        self.call(f"nvrtcGet{what}", program, room)
        return room.raw

    def compile(self, source, architecture, *more):
        program = ctypes.c_void_p()
        text = source.read_text().encode()
        self.call("nvrtcCreateProgram", ctypes.byref(program), text, source.name.encode(), 0, None, None)
        options = [f"--gpu-architecture={architecture}", *OPTIONS, *more]
        array = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
        code = self.library.nvrtcCompileProgram(program, len(options), array)
        log = self.text(program, "ProgramLog").rstrip(b"\0").decode()
        if code:
            raise SystemExit(f"{source.relative_to(SOURCES)} for {architecture}:\n{log}")
        kind = "PTX" if architecture.startswith("compute") else "CUBIN"
        return self.text(program, kind), log


def sources():
    return sorted(SOURCES.rglob("*.cu"))


def resources(log):
    """Registers, spilled bytes and shared memory of each kernel in the assembler's words."""
    pattern = r"Compiling entry function '(\w+)'.*?(\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers([^\n]*)"
    for name, stores, loads, registers, rest in re.findall(pattern, log, re.S):
        shared = re.search(r"(\d+) bytes smem", rest)
        yield name, int(registers), int(stores) + int(loads), int(shared.group(1)) if shared else 0


def check():
    nvrtc = Nvrtc("13")
    print(f"NVRTC {nvrtc.version}")
    for source in sources():
        nvrtc.compile(source, "compute_80")
        for architecture in ("sm_90", "sm_100"):
            code, log = nvrtc.compile(source, architecture, "--ptxas-options=-v")
            assert code[:4] == b"\x7fELF", architecture
            kernels = list(resources(log))
            assert kernels, f"{source.name}: nothing of the assembler\n{log}"
            for name, registers, spilled, shared in kernels:
                print(f"{architecture:7} {name:28} {registers:4} registers {spilled:5} spilled {shared:6} shared")
                if shared > MOST_SHARED:
                    raise SystemExit(f"{name}: {shared} bytes of shared memory, at most {MOST_SHARED} can be had")


def ptx(write):
    nvrtc = Nvrtc("12")
    stale = []
    for source in sources():
        made = nvrtc.compile(source, "compute_80")[0].rstrip(b"\0")
        beside = source.with_suffix(".ptx.gz")
        if write:
            beside.write_bytes(gzip.compress(made, 9, mtime=0))
        elif not beside.exists() or gzip.decompress(beside.read_bytes()) != made:
            stale.append(str(beside))
    if stale:
        raise SystemExit("not what their sources give (run tests/cuda/nvrtc.py ptx): " + ", ".join(stale))
    print(f"embedded PTX: {len(sources())} files, NVRTC {nvrtc.version}, compute_80")


match sys.argv[1:]:
    case ["check"]:
        check()
    case ["ptx"]:
        ptx(write=True)
    case ["ptx", "--check"]:
        ptx(write=False)
    case _:
        raise SystemExit(__doc__)
