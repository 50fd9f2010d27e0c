"""Writes netCDF-4 files of many layouts (`make FOLDER`, which prints one JSON line per raster:
file, variable to ask for or null), then compares the results written beside them
(`check FOLDER`): NAME.nc with NAME.result.nc, by what xarray keeps of a raster when it computes.
"""

import json
import sys
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import xarray as xr

ROWS, COLUMNS, TIMES = 5, 7, 3


def cells(*shape):
    return np.arange(np.prod(shape), dtype="f4").reshape(shape)


def curvilinear(path):
    """2-D coordinates and a scalar one; the raster has no 1-D coordinates at all."""
    lat = np.linspace(40, 41, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    raster = xr.DataArray(
        cells(ROWS, COLUMNS),
        dims=("eta", "xi"),
        coords={"lat": (("eta", "xi"), lat, {"units": "degrees_north"}), "lon": (("eta", "xi"), -lat), "level": 3},
        attrs={"units": "m", "long_name": "depth"},
        name="depth",
    )
    raster.to_netcdf(path)
    return None


def stacked(path):
    """An unlimited time axis, auxiliary coordinates over it, packed coordinates, compression."""
    raster = xr.DataArray(
        cells(TIMES, ROWS, COLUMNS),
        dims=("time", "y", "x"),
        coords={
            "time": np.array(["2020-01-01", "2020-01-02", "2020-01-04"], "M8[ns]"),
            "y": np.arange(ROWS)[::-1] * 0.5,
            "x": np.arange(COLUMNS, dtype="i4"),
            "season": ("time", ["winter", "winter", "spring"]),
            "weight": ("time", np.array([1, 2, 3], "i2")),
        },
        attrs={"standard_name": "air_temperature", "units": "K"},
        name="t2m",
    )
    encoding = {"t2m": {"zlib": True, "complevel": 2, "chunksizes": (1, 4, 4)}, "y": {"dtype": "i2", "scale_factor": 0.5}}
    raster.to_netcdf(path, unlimited_dims=["time"], encoding=encoding)
    return None


def referenced(path):
    """The reference system is named by `coordinates`, as rioxarray leaves it."""
    raster = xr.DataArray(
        cells(ROWS, COLUMNS).astype("i2"),
        dims=("y", "x"),
        coords={"y": np.arange(ROWS) * 30.0, "x": np.arange(COLUMNS) * 30.0, "spatial_ref": 0},
        attrs={"res": np.array([30.0, 30.0]), "unit": "m"},
        name="dem",
    )
    raster.spatial_ref.attrs = {"crs_wkt": 'PROJCRS["x"]', "GeoTransform": "0 30 0 0 0 30"}
    raster.to_netcdf(path)
    return None


def several(path):
    """Two rasters that share dimensions, one of them in a group that inherits the root's."""
    with netCDF4.Dataset(path, "w") as file:
        for name, length in (("y", ROWS), ("x", COLUMNS)):
            file.createDimension(name, length)
            file.createVariable(name, "f8", (name,))[:] = np.arange(length)
        file.createVariable("first", ">f4", ("y", "x"))[:] = cells(ROWS, COLUMNS)
        group = file.createGroup("inner").createGroup("most")
        group.createVariable("second", "u1", ("x", "y"))[:] = 7
    return "/inner/most/second"


def partly(path):
    """One dimension with values, one without; Latin-1 in an attribute, arrays of text, an empty one."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("row", ROWS)
        file.createDimension("col", COLUMNS)
        file.createVariable("col", "f4", ("col",))[:] = np.arange(COLUMNS)
        raster = file.createVariable("raster", "f8", ("row", "col"), fill_value=-1.0)
        raster[:] = cells(ROWS, COLUMNS)
        raster.setncattr("long_name", "")
        file.setncattr_string("keywords", ["a", "b"])
    with h5py.File(path, "r+") as file:
        text = h5py.h5t.TypeID.copy(h5py.h5t.C_S1)
        text.set_size(3)
        space = h5py.h5s.create(h5py.h5s.SCALAR)
        attribute = h5py.h5a.create(file["raster"].id, b"units", text, space)
        attribute.write(np.array(b"\xb5m\0", "S3"))
    return None


LAYOUTS = [curvilinear, stacked, referenced, several, partly]


def make(folder):
    for layout in LAYOUTS:
        path = folder / f"{layout.__name__}.nc"
        print(json.dumps({"file": path.name, "variable": layout(path)}))


def raster_of(path, name, engine):
    group, _, name = (name or "").rpartition("/")
    with xr.open_dataset(path, engine=engine, group=group or None) as dataset:
        dataset.load()
    if not name:
        (name,) = [n for n, v in dataset.data_vars.items() if v.ndim >= 2]
    raster = dataset[name]
    if group:
        # Coordinates of the parents, which xarray does not look for.
        with xr.open_dataset(path, engine=engine) as root:
            raster = raster.assign_coords({n: root[n].load() for n in raster.dims if n in root.coords})
    return raster


def check(folder):
    for layout in LAYOUTS:
        name = layout.__name__
        variable = "/inner/most/second" if layout is several else None
        for engine in ("netcdf4", "h5netcdf"):
            source = raster_of(folder / f"{name}.nc", variable, engine)
            with xr.open_dataset(folder / f"{name}.result.nc", engine=engine) as dataset:
                result = dataset["convolution_2d"].load()
            assert result.dims == source.dims, (name, result.dims)
            assert set(result.coords) == set(source.coords), (name, engine, set(result.coords))
            for coordinate in source.coords:
                xr.testing.assert_identical(result[coordinate].variable, source[coordinate].variable)
            for key in ("units", "long_name", "standard_name", "unit"):
                assert result.attrs.get(key) == source.attrs.get(key), (name, engine, key, result.attrs.get(key))
            if "res" in source.attrs:
                assert np.array_equal(result.attrs["res"], source.attrs["res"])
            assert result.dtype == np.float64 and np.isnan(result.encoding["_FillValue"])
        print(name, "same")


{"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2]))
