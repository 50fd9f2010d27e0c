"""Opens our reject log, state and cleaned epochs with the peer itself and prints what it finds.

    python autoreject_files.py EPOCHS.h5 FOLDER STATE.h5

FOLDER holds reject_log.npz, autoreject.h5 and epochs.h5. EPOCHS.h5 is the recording they are of, STATE.h5
the state that the peer saved itself.
"""

import json
import sys
import warnings

import autoreject
import h5py
import mne
import numpy as np

warnings.simplefilter("ignore")
mne.set_log_level("error")


def epochs_of(path):
    with h5py.File(path) as file:
        group = file["epochs"]
        names = [name.decode() for name in group["ch_names"]]
        kinds = [kind.decode() for kind in group["ch_types"]]
        info = mne.create_info(names, float(group["sfreq"][()]), kinds)
        for channel, position in zip(info["chs"], group["ch_pos"][()]):
            channel["loc"][:3] = position
        return mne.EpochsArray(group["data"][()], info)


def same(a, b):
    if isinstance(a, dict):
        return type(a) is type(b) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return type(a) is type(b) and a == b


source, folder, peer = sys.argv[1:]
log = autoreject.read_reject_log(f"{folder}/reject_log.npz")
fitted = autoreject.read_auto_reject(f"{folder}/autoreject.h5")
cleaned = fitted.transform(epochs_of(source).copy(), reject_log=log)
ours = h5py.File(f"{folder}/epochs.h5")["epochs"]
state, own = fitted.__getstate__(), autoreject.read_auto_reject(peer).__getstate__()
kept = ~log.bad_epochs
repaired = log.labels[kept] == 2
data = ours["data"][()]
difference = np.abs(cleaned.get_data() - data).max(axis=-1)
print(
    json.dumps(
        {
            "names": [str(name) for name in log.ch_names],
            "names_dtype": str(np.asarray(log.ch_names).dtype),
            "bad_epochs": np.flatnonzero(log.bad_epochs).tolist(),
            "bad_dtype": str(log.bad_epochs.dtype),
            "repaired": int(np.sum(log.labels == 2)),
            "unpicked": int(np.sum(np.isnan(log.labels))),
            "own_bad_epochs": np.flatnonzero(fitted.get_reject_log(epochs_of(source)).bad_epochs).tolist(),
            "fields": len(state),
            "different": [key for key in own if key not in state or not same(state[key], own[key])],
            "thresh_method": fitted.thresh_method,
            "consensus": fitted.consensus_,
            "n_interpolate": {key: int(value) for key, value in fitted.n_interpolate_.items()},
            "loss_shape": [list(loss.shape) for loss in fitted.loss_.values()],
            "cleaned": list(cleaned.get_data().shape),
            "difference": float(difference[~repaired].max()),
            "marked": bool((data == np.arange(data.shape[1])[:, None])[repaired].all()),
            "selection": ours["selection"][()].tolist(),
        }
    )
)
