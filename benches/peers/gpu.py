"""Ceilings of a CUDA device as CuPy or PyTorch reach them, and the same works by CuPy, PyTorch and JAX:
what can be imported is timed, the rest is named. Data are on the device before the clock starts and
results stay there; nissl's own rows in gpu.sh hold files and copies too.

    python3 gpu.py FOLDER      with small.npy and large.npy as gpu.sh makes them
"""

import importlib, sys, time


def load(name):
    try:
        return importlib.import_module(name)
    except Exception as reason:  # a package without its device fails in many ways
        print(f"{name}: not timed ({type(reason).__name__}: {str(reason).splitlines()[0][:100]})")
        return None


def best(work, wait, times=3):
    work()
    wait()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def say(what, seconds, amount=None, unit=""):
    rate = f"  {amount / seconds / 1e9:10.1f} {unit}" if amount else ""
    print(f"{what:58} {seconds * 1e3:10.2f} ms{rate}")


def torch_rows(folder, numpy):
    torch = load("torch")
    if torch is None or not torch.cuda.is_available():
        return
    wait = torch.cuda.synchronize
    big = torch.empty(1 << 28, dtype=torch.float32, device="cuda")
    other = torch.empty_like(big)
    say("ceiling: copy on the device (torch)", best(lambda: other.copy_(big), wait), 2 * big.nbytes, "GB/s")
    pinned = torch.empty(1 << 28, dtype=torch.float32, pin_memory=True)
    say("ceiling: to the device, pinned (torch)", best(lambda: big.copy_(pinned, non_blocking=True), wait), big.nbytes, "GB/s")
    say("ceiling: from the device, pinned (torch)", best(lambda: pinned.copy_(big, non_blocking=True), wait), big.nbytes, "GB/s")
    del big, other, pinned
    for kind in (torch.float32, torch.float64):
        a = torch.randn(8192, 8192, dtype=kind, device="cuda")
        torch.backends.cuda.matmul.allow_tf32 = False
        say(f"ceiling: matrix product {kind} (torch)", best(lambda: a @ a, wait), 2 * 8192**3, "Gflop/s")
    for name, side in (("small", 51), ("large", 25)):
        raster = torch.from_numpy(numpy.load(f"{folder}/{name}.npy")).cuda()[None, None]
        kernel = torch.rand(1, 1, side, side, dtype=raster.dtype, device="cuda")
        run = lambda: torch.nn.functional.conv2d(raster, kernel, padding=side // 2)
        say(f"convolve {name} {side} x {side} {raster.dtype} (torch)", best(run, wait))
    marks = torch.randn(50_000, 4, device="cuda")
    places = torch.rand(50_000, 2000, device="cuda")

    def decode():
        for first in range(0, 50_000, 2500):
            apart = torch.cdist(marks[first : first + 2500], marks) ** 2
            torch.log(torch.exp(-0.5 * apart) @ places)

    say("decode: one electrode of scale S, dense float32 (torch)", best(decode, wait, 1), 2 * 5e4 * 5e4 * 2e3, "Gflop/s")


def cupy_rows(folder, numpy):
    cupy = load("cupy")
    if cupy is None:
        return
    from cupyx.scipy import ndimage

    wait = cupy.cuda.Device().synchronize
    for name, side in (("small", 51), ("large", 25)):
        raster = cupy.asarray(numpy.load(f"{folder}/{name}.npy"))
        kernel = cupy.random.rand(side, side).astype(raster.dtype)
        say(f"convolve {name} {side} x {side} {raster.dtype} (cupy)", best(lambda: ndimage.convolve(raster, kernel), wait, 1))
    rows = cupy.random.rand(2400, 128 * 100)
    say("median over 2400 rows of 12800 samples (cupy)", best(lambda: cupy.median(rows, axis=0), wait))


def jax_rows():
    jax = load("jax")
    if jax is None or not any(device.platform == "gpu" for device in jax.devices()):
        return
    numbers = jax.numpy
    marks = jax.random.normal(jax.random.key(1), (50_000, 4))
    places = jax.random.uniform(jax.random.key(2), (50_000, 2000))

    @jax.jit
    def block(own):
        apart = ((own[:, None] - marks[None]) ** 2).sum(-1)
        return numbers.log(numbers.exp(-0.5 * apart) @ places)

    def decode():
        for first in range(0, 50_000, 2500):
            block(marks[first : first + 2500]).block_until_ready()

    say("decode: one electrode of scale S, dense float32 (jax)", best(decode, lambda: None, 1), 2 * 5e4 * 5e4 * 2e3, "Gflop/s")


def main():
    numpy = load("numpy")
    for rows in (lambda: torch_rows(sys.argv[1], numpy), lambda: cupy_rows(sys.argv[1], numpy), jax_rows):
        try:
            rows()
        except Exception as reason:  # one package's failure is not the others'
            print(f"failed: {type(reason).__name__}: {str(reason).splitlines()[0][:200]}")


main()
