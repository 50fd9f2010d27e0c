"""Opens a result file of ours and the peer's with xarray, both engines, and demands that whatever
both have is identical, that ours brings no dimension and no coordinate of its own, and that the
peer's users find `set_index(state_bins=["state", "position"])` working as before.

Usage: decode_results.py OURS PEERS
"""

import sys

import numpy as np
import xarray as xr


def positions(dataset):
    return [name for name in dataset.coords if name == "position" or name.endswith("_position")]


def check(ours, peers):
    assert dict(ours.sizes) == dict(peers.sizes), (ours.sizes, peers.sizes)
    assert set(ours.coords) == set(peers.coords), (set(ours.coords), set(peers.coords))
    common = [name for name in peers.data_vars if name in ours.data_vars]
    assert "acausal_posterior" in common
    xr.testing.assert_identical(ours[common], peers[common])
    for name in peers.coords:
        assert ours[name].dtype == peers[name].dtype, name
    own = [name for name in ours.data_vars if name not in peers.data_vars]
    assert all(ours[name].dims[0] == "time" for name in own), own
    for name in own:
        # Coordinates without a dimension belong to all variables of the peer's files.
        scalars = {coord for coord in peers.coords if not peers[coord].dims}
        assert scalars <= set(ours[name].coords), (name, scalars)
    levels = ["state", *positions(peers)]
    indexed, expected = ours.set_index(state_bins=levels), peers.set_index(state_bins=levels)
    assert indexed.indexes["state_bins"].names == expected.indexes["state_bins"].names == levels
    # Tuples with NaN (states without positions) equal nothing, so level by level.
    for level in levels:
        xr.testing.assert_equal(indexed[level].reset_index("state_bins"), expected[level].reset_index("state_bins"))
    for name in common:
        np.testing.assert_array_equal(indexed[name].values, expected[name].values)
    # As in the peer's notebooks: sum over positions, unstack, most likely position.
    state = str(ours["state"].values[-1])
    mine = indexed["acausal_posterior"].sel(state=state)
    total = mine.sum([dim for dim in mine.dims if dim != "time"])
    assert np.all(np.isfinite(total)) and float(total.max()) <= 1 + 1e-5
    assert "states" in ours.coords and "_Netcdf4Dimid" not in ours["time"].attrs


def main():
    for engine in ("netcdf4", "h5netcdf"):
        with xr.open_dataset(sys.argv[1], engine=engine) as ours, xr.open_dataset(sys.argv[2], engine=engine) as peers:
            check(ours, peers)
    print("good")


main()
