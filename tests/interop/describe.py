"""Prints as JSON what xarray (engines netcdf4 and h5netcdf) and the netCDF library see in a file:
dimensions, and for every variable dimensions, type, values, attributes, missing value.

Usage: describe.py FILE
"""

import json
import sys

import h5py
import netCDF4
import numpy as np
import xarray as xr


def typed(value):
    if isinstance(value, (str, bytes)):
        return value if isinstance(value, str) else value.decode("latin-1")
    array = np.asarray(value)
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": [repr(v) for v in array.ravel().tolist()]}


def values(array):
    array = np.asarray(array)
    if array.dtype.kind in "OUST":
        return [str(v) for v in array.ravel().tolist()]
    array = array.astype(array.dtype.newbyteorder("<"))
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array)
    return array.tobytes().hex()


def seen_by(engine, path):
    with xr.open_dataset(path, engine=engine, decode_times=False) as dataset:
        variables = {
            name: {
                "dims": list(variable.dims),
                "dtype": variable.dtype.name if variable.dtype.kind != "T" else "text",
                "coordinate": name in dataset.coords,
                "values": values(variable.values),
                "attributes": {key: typed(value) for key, value in variable.attrs.items()},
                "fill": typed(variable.encoding["_FillValue"]) if "_FillValue" in variable.encoding else None,
            }
            for name, variable in dataset.variables.items()
        }
        return {
            "dims": {name: int(length) for name, length in dataset.sizes.items()},
            "attributes": {key: typed(value) for key, value in dataset.attrs.items()},
            "variables": variables,
        }


def seen_by_library(path):
    with netCDF4.Dataset(path) as file:
        return {
            "dims": {name: dimension.size for name, dimension in file.dimensions.items()},
            "variables": {name: list(variable.dimensions) for name, variable in file.variables.items()},
            "storage": {
                name: {"chunks": variable.chunking(), "filters": variable.filters()}
                for name, variable in file.variables.items()
            },
        }


def text_types(path):
    """The stored form of every text attribute of every object."""
    found = {}
    with h5py.File(path) as file:
        for name, node in [("/", file)] + [(n, file[n]) for n in file]:
            for key in node.attrs:
                kind = node.attrs.get_id(key).get_type()
                if kind.get_class() == h5py.h5t.STRING:
                    form = "variable" if kind.is_variable_str() else f"fixed, padding {kind.get_strpad()}"
                    found[f"{name}@{key}"] = [form, 0 if kind.is_variable_str() else kind.get_size()]
    return found


def main():
    path = sys.argv[1]
    report = {engine: seen_by(engine, path) for engine in ("netcdf4", "h5netcdf")}
    report["library"] = seen_by_library(path)
    report["text"] = text_types(path)
    print(json.dumps(report))


main()
