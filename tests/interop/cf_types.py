"""Writes packed variables of every kind into a netCDF-4 file, opens it with xarray through both
engines, and prints one JSON object per variable: what is stored and what xarray decodes it to.

Usage: cf_types.py FOLDER
"""

import itertools
import json
import sys
import warnings
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

warnings.simplefilter("ignore")
INTEGERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
FLOATS = ["f4", "f8"]
LENGTH = 40


def values(kind, unsigned, rng):
    """Random elements over the type's range, its ends, and those that serve as missing values."""
    if kind in FLOATS:
        data = (rng.standard_normal(LENGTH) * 10.0 ** rng.integers(-3, 6, LENGTH)).astype(kind)
        data[:5] = [-9999, 7, 0, np.nan, np.inf]
    else:
        info = np.iinfo(kind)
        data = rng.integers(info.min, info.max, LENGTH, dtype=kind, endpoint=True)
        # The largest number would fall on the missing value in float, which is where xarray looks.
        last = info.max // 4 if unsigned else info.max
        data[:6] = [info.min, last, 7, 0, 9, info.max // 2 + 1]
    return data


def combinations():
    """(type, scale type, offset type, missing, _Unsigned) of every variable."""
    packing = list(itertools.product([None, "f4", "f8"], [None, "f4", "f8"]))
    for kind in INTEGERS + FLOATS:
        missing = ["none", "fill", "missing", "both", "list"] + (["nan"] if kind in FLOATS else ["nan_missing"])
        for (scale, offset), declared in itertools.product(packing, missing):
            yield kind, scale, offset, declared, None
    for kind in INTEGERS:
        word = "true" if kind.startswith("i") else "false"
        for (scale, offset), declared in itertools.product(packing, ["none", "fill"]):
            yield kind, scale, offset, declared, word


def fill_value(kind):
    """A number that float32 holds: xarray compares after its cast, we before it."""
    if kind in FLOATS:
        return -9999
    return np.iinfo(kind).min if kind.startswith("i") else np.iinfo(kind).max // 2 + 1


def attributes(kind, scale, offset, declared, unsigned):
    one = np.dtype(kind).type
    found = {}
    if declared in ("fill", "both"):
        found["_FillValue"] = one(fill_value(kind))
    if declared in ("missing", "both"):
        found["missing_value"] = one(7)
    if declared == "list":
        found["missing_value"] = np.array([7, 0], kind)
    if declared == "nan":
        found["_FillValue"] = one(np.nan)
    if declared == "nan_missing":
        found["missing_value"] = np.float64(np.nan)
    if scale:
        found["scale_factor"] = np.dtype(scale).type(0.1)
    if offset:
        found["add_offset"] = np.dtype(offset).type(273.15)
    if unsigned:
        found["_Unsigned"] = unsigned
    return found


def typed(value):
    """An attribute as JSON: its type and its values, bit for bit."""
    if isinstance(value, str):
        return {"text": value}
    array = np.atleast_1d(value)
    return {"dtype": array.dtype.name, "bytes": array.astype(array.dtype.newbyteorder("<")).tobytes().hex()}


def write(path):
    rng = np.random.default_rng(20)
    written = {}
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("x", LENGTH)
        for index, combination in enumerate(combinations()):
            kind = combination[0]
            # xarray turns the missing value of big-endian _Unsigned data the wrong way round.
            big = index % 2 == 1 and combination[4] is None
            found = attributes(*combination)
            data = values(kind, combination[4], rng)
            name = f"v{index}"
            fill = found.get("_FillValue", False)
            variable = file.createVariable(name, kind, ("x",), endian="big" if big else "little", fill_value=fill)
            variable.set_auto_maskandscale(False)
            variable.setncatts({key: value for key, value in found.items() if key != "_FillValue"})
            variable[:] = data
            written[name] = {
                "dtype": np.dtype(kind).name,
                "big": big,
                "stored": data.astype(np.dtype(kind).newbyteorder(">" if big else "<")).tobytes().hex(),
                "attributes": {key: typed(value) for key, value in found.items()},
            }
    return written


def main():
    path = Path(sys.argv[1]) / "packed.nc"
    written = write(path)
    decoded = []
    for engine in ("netcdf4", "h5netcdf"):
        with xr.open_dataset(path, engine=engine) as dataset:
            decoded.append({name: dataset[name].values for name in written})
    for name, row in written.items():
        first, second = (found[name] for found in decoded)
        assert first.dtype == second.dtype and np.array_equal(first, second, equal_nan=first.dtype.kind == "f"), name
        native = first.astype(first.dtype.newbyteorder("<"))
        print(json.dumps({"name": name, **row, "decoded": native.dtype.name, "expected": native.tobytes().hex()}))


main()
