"""Writes HDF5 files of every kind that the reader claims, and what h5py reads from them.

Usage: make_hdf5_corpus.py OUT [--small | --big]
       make_hdf5_corpus.py --describe OUT FILE...

OUT/manifest.json lists, for each file, its groups, datasets, dead links and attributes as h5py
reads them back; numbers lie beside it as .npy in the stored byte order. --small writes the few
files that are kept under fixtures/io; --big writes sparse files of more than 4 GiB.
"""

import ctypes
import json
import os
import struct
import sys

import h5py
import numpy as np

try:
    import hdf5plugin
except ImportError:
    hdf5plugin = None
    if os.environ.get("NISSL_REQUIRE_ALL"):
        raise SystemExit("hdf5plugin is not installed: pip install hdf5plugin")
    print("skipped: hdf5plugin is not installed, so no Blosc, zstd, LZ4, bzip2 or bitshuffle", file=sys.stderr)

RNG = np.random.default_rng(20)


# What h5py reads -------------------------------------------------------------------------------


def number_code(dtype):
    """numpy's kind and size for the eleven number types, else None."""
    return dtype.str[1:] if dtype.kind in "iuf" and dtype.itemsize <= 8 else None


def is_bool(tid):
    return tid.get_class() == h5py.h5t.ENUM and tid.dtype == np.dtype(bool)


def stored(tid):
    """Kind of a stored type: a number's code, bool, text, reference or other."""
    kind = tid.get_class()
    if is_bool(tid):
        return "bool"
    if kind == h5py.h5t.ENUM:
        return stored(tid.get_super())
    if kind == h5py.h5t.INTEGER:
        plain = tid.get_precision() == 8 * tid.get_size() and tid.get_size() <= 8
        return number_code(tid.dtype) if plain else "other"
    if kind == h5py.h5t.FLOAT:
        standard = {2: h5py.h5t.IEEE_F16LE, 4: h5py.h5t.IEEE_F32LE, 8: h5py.h5t.IEEE_F64LE}
        like = standard.get(tid.get_size())
        if like is None or tid.get_fields() != like.get_fields() or tid.get_ebias() != like.get_ebias():
            return "other"
        return "f%d" % tid.get_size()
    if kind == h5py.h5t.STRING:
        return "text"
    if kind == h5py.h5t.REFERENCE and tid.equal(h5py.h5t.STD_REF_OBJ):
        return "reference"
    return "other"


def big_endian(tid):
    if tid.get_class() == h5py.h5t.ENUM:
        tid = tid.get_super()
    return tid.get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT) and tid.get_order() == h5py.h5t.ORDER_BE


def texts(values, tid):
    """Bytes of text elements, as hexadecimal."""
    out = []
    for value in np.asarray(values, dtype=object).ravel():
        data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
        if not tid.is_variable_str():
            pad = tid.get_strpad()
            if pad == h5py.h5t.STR_NULLTERM:
                data = data.split(b"\0")[0]
            elif pad == h5py.h5t.STR_SPACEPAD:
                data = data.rstrip(b" ")
            else:
                data = data.rstrip(b"\0")
        out.append(data.hex())
    return out


def raw_texts(read, space, tid):
    """Text elements without any decoding."""
    shape = space.get_simple_extent_dims()
    if tid.is_variable_str():
        out = np.empty(shape, dtype=h5py.string_dtype("ascii"))
        read(out, h5py.h5t.py_create(out.dtype))
    else:
        out = np.empty(shape, dtype="S%d" % tid.get_size())
        read(out, tid)
        out = np.array([out.tobytes()[i : i + tid.get_size()] for i in range(0, out.nbytes, tid.get_size())], dtype=object)
    return texts(out, tid)


def paths(values, file, names):
    out = []
    for ref in np.asarray(values, dtype=object).ravel():
        out.append(names[h5py.h5o.get_info(file[ref].id).addr] if ref else "")
    return out


def attribute(obj, name, file, names):
    aid = h5py.h5a.open(obj.id, name.encode() if isinstance(name, str) else name)
    tid, space = aid.get_type(), aid.get_space()
    entry = {"name": name, "shape": [], "kind": "unsupported"}
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        return dict(entry, kind="empty")
    entry["shape"] = list(space.get_simple_extent_dims())
    kind = stored(tid)
    if kind == "other":
        return entry
    if kind == "text":
        return dict(entry, kind="text", values=raw_texts(lambda out, t: aid.read(out, t), space, tid))
    if kind == "reference":
        return dict(entry, kind="reference", values=paths(obj.attrs[name], file, names))
    out = np.empty(entry["shape"], dtype=tid.dtype)
    aid.read(out)
    if kind == "bool":
        return dict(entry, kind="bool", values=[bool(v) for v in out.ravel()])
    if kind[0] == "f":
        values = [struct.pack(">d", v).hex() for v in out.astype("f8").ravel()]
        return dict(entry, kind="float", code=kind, values=values)
    return dict(entry, kind="int" if kind[0] == "i" else "uint", code=kind, values=[str(int(v)) for v in out.ravel()])


def dataset(ds, file, names, save):
    tid = ds.id.get_type()
    space = ds.id.get_space()
    entry = {"kind": "dataset", "stored": stored(tid), "big": big_endian(tid)}
    entry["shape"] = list(space.get_simple_extent_dims()) if space.get_simple_extent_type() != h5py.h5s.NULL else []
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        return dict(entry, stored="other")
    entry["chunks"] = list(ds.chunks) if ds.chunks else None
    if ds.dims and any(len(d) for d in ds.dims):
        entry["scales"] = [[names[h5py.h5o.get_info(s.id).addr] for s in d.values()] for d in ds.dims]
    plist = ds.id.get_create_plist()
    rare = any(plist.get_filter(i)[0] in (32013, 32026) for i in range(plist.get_nfilters()))
    if ds.is_virtual or ds.external or rare:
        return dict(entry, readable=False, why="filter" if rare else "file")
    if entry["stored"] == "text":
        read = lambda out, t: ds.id.read(h5py.h5s.ALL, h5py.h5s.ALL, out, t)
        return dict(entry, values=raw_texts(read, space, tid))
    if entry["stored"] == "reference":
        return dict(entry, values=paths(ds[()], file, names))
    if entry["stored"] != "other":
        out = np.empty(ds.shape, dtype=tid.dtype)
        if out.size:
            ds.id.read(h5py.h5s.ALL, h5py.h5s.ALL, out)
        entry.update(save(out))
    return entry


def walk(file):
    """Each object once, as (path, object or dead link)."""
    seen = {h5py.h5o.get_info(file.id).addr}
    found = [("/", file["/"])]
    pending = [("", file["/"])]
    while pending:
        path, group = pending.pop(0)
        for name in sorted(group, key=lambda n: n.encode()):
            inner = path + "/" + name
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                found.append((inner, link))
                continue
            if isinstance(link, h5py.SoftLink):
                try:
                    dead = group.get(name) is None
                except RuntimeError:
                    dead = True
                if dead:
                    found.append((inner, link))
                continue
            obj = group[name]
            address = h5py.h5o.get_info(obj.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(obj, (h5py.Group, h5py.Dataset)):
                found.append((inner, obj))
            if isinstance(obj, h5py.Group):
                pending.append((inner, obj))
    return found


def describe(name, out, inline):
    """Manifest entry of a file; numbers as hexadecimal in it when `inline`."""
    entries = []
    with h5py.File(name, "r") as file:
        objects = walk(file)
        names = {h5py.h5o.get_info(o.id).addr: p for p, o in objects if not isinstance(o, (h5py.SoftLink, h5py.ExternalLink))}

        def save(values):
            if inline:
                return {"hex": values.tobytes().hex()}
            npy = "%s.%d.npy" % (os.path.basename(name), len(entries))
            np.save(os.path.join(out, npy), values)
            return {"npy": npy}

        for path, obj in objects:
            if isinstance(obj, (h5py.SoftLink, h5py.ExternalLink)):
                entries.append({"path": path, "kind": "link"})
                continue
            entry = dataset(obj, file, names, save) if isinstance(obj, h5py.Dataset) else {"kind": "group"}
            attributes = []
            for i in range(h5py.h5a.get_num_attrs(obj.id)):
                attr = h5py.h5a.open(obj.id, index=i).name
                attr = attr.decode() if isinstance(attr, bytes) else attr
                attributes.append(attribute(obj, attr, file, names))
            entries.append(dict(entry, path=path, attributes=attributes))
    return {"file": os.path.basename(name), "entries": entries}


# What is written -------------------------------------------------------------------------------

NUMBERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]


def sample(dtype, shape):
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        values = np.cumsum(RNG.normal(size=shape), axis=-1) if shape else np.array(1.5)
        values = np.asarray(values).astype(dtype)
        if values.ndim and values.size > 8:
            values.flat[3], values.flat[5], values.flat[7] = np.nan, np.inf, -0.0
        return values
    info = np.iinfo(dtype)
    low, high = max(info.min, -3000), min(info.max, 3000)
    values = np.asarray(RNG.integers(low, high, size=shape, endpoint=True)).astype(dtype)
    if values.ndim and values.size > 2:
        values.flat[0], values.flat[1] = info.min, info.max
    return values


def numbers(f):
    for code in NUMBERS:
        for order in "<>":
            dtype = order + code
            name = code + ("_be" if order == ">" else "")
            f.create_dataset("contiguous/" + name, data=sample(dtype, (23, 31)))
            f.create_dataset("chunked/" + name, data=sample(dtype, (23, 31)), chunks=(7, 9))
            f.create_dataset(
                "packed/" + name, data=sample(dtype, (23, 31)), chunks=(7, 9), compression="gzip", shuffle=True
            )
            f.create_dataset("scalar/" + name, data=sample(dtype, ()))
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_layout(h5py.h5d.COMPACT)
            values = sample(dtype, (5, 3))
            space = h5py.h5s.create_simple(values.shape)
            tid = h5py.h5t.py_create(values.dtype, logical=1)
            group = f.require_group("compact")
            h5py.h5d.create(group.id, name.encode(), tid, space, plist).write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    f["bools"] = RNG.integers(0, 2, size=(9, 4)).astype(bool)
    f.create_dataset("bools_packed", data=RNG.integers(0, 2, size=(40, 9)).astype(bool), chunks=(16, 4), compression=1)
    f["bool_scalar"] = np.bool_(True)
    f.create_dataset("enum", data=np.array([2, 0, 1, 2], "i2"), dtype=h5py.enum_dtype({"a": 0, "b": 1, "c": 2}, "i2"))
    f["empty0"] = np.zeros((0,), "f4")
    f["empty1"] = np.zeros((3, 0, 2), "i2")
    f.create_dataset("empty2", shape=(0, 5), maxshape=(None, 5), chunks=(4, 5), dtype="f8", compression="gzip")
    f["rank5"] = sample("<f4", (3, 2, 4, 3, 5))
    f.create_dataset("rank4", data=sample("<i4", (5, 6, 7, 8)), chunks=(2, 3, 4, 5), compression="gzip", shuffle=True)
    f.create_dataset("line", data=sample("<f8", (1000,)), chunks=(64,), compression="gzip", shuffle=True)
    f.create_dataset("wide", data=sample("<f4", (3, 5000)))
    f.create_dataset("long", data=sample("<f4", (5000, 3)))


def filters(f):
    for code in ["<i2", "<f4", ">f8", "<u1"]:
        values = sample(code, (61, 45))
        base = code.replace("<", "").replace(">", "be_")
        make = lambda name, **how: f.create_dataset("%s/%s" % (base, name), data=values, chunks=(16, 20), **how)
        make("gzip", compression="gzip")
        make("gzip9_shuffle", compression="gzip", compression_opts=9, shuffle=True)
        make("gzip_shuffle_fletcher", compression="gzip", shuffle=True, fletcher32=True)
        make("fletcher", fletcher32=True)
        make("shuffle", shuffle=True)
        make("shuffle_fletcher", shuffle=True, fletcher32=True)
        make("lzf", compression="lzf")
        make("lzf_shuffle", compression="lzf", shuffle=True)
        make("lzf_fletcher", compression="lzf", fletcher32=True)
        if hdf5plugin:
            for codec in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]:
                for shuffle in [0, 1, 2]:
                    make("blosc_%s_%d" % (codec, shuffle), **hdf5plugin.Blosc(cname=codec, clevel=5, shuffle=shuffle))
            make("bitshuffle", **hdf5plugin.Bitshuffle(cname="lz4"))
            make("lz4", **hdf5plugin.LZ4())
            make("zstd", **hdf5plugin.Zstd())
            make("bzip2", **hdf5plugin.BZip2())
    if hdf5plugin:
        values = sample("<f4", (61, 45))
        f.create_dataset("not_read/blosc2", data=values, chunks=(16, 20), **hdf5plugin.Blosc2())
        f.create_dataset("not_read/zfp", data=values, chunks=(16, 20), **hdf5plugin.Zfp(rate=8))
    whole = np.cumsum(RNG.integers(-5, 6, size=(61, 45)), axis=1)
    f.create_dataset("scaleoffset_i4", data=whole.astype("<i4"), chunks=(16, 20), scaleoffset=0)
    f.create_dataset("scaleoffset_u2", data=(whole + 500).astype("<u2"), chunks=(16, 20), scaleoffset=0)
    f.create_dataset("scaleoffset_f4", data=(whole / 7).astype("<f4"), chunks=(16, 20), scaleoffset=3)
    f.create_dataset("constant", data=np.full((64, 64), 7, "<f4"), chunks=(64, 64), compression="gzip")
    for order in [("shuffle", "deflate"), ("deflate", "shuffle"), ("fletcher32", "deflate"), ("deflate", "deflate")]:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((16, 20))
        for part in order:
            {"shuffle": plist.set_shuffle, "deflate": lambda: plist.set_deflate(4), "fletcher32": plist.set_fletcher32}[part]()
        values = sample("<f4", (61, 45))
        space = h5py.h5s.create_simple(values.shape)
        ds = h5py.h5d.create(f.id, ("order_" + "_".join(order)).encode(), h5py.h5t.IEEE_F32LE, space, plist)
        ds.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    # Chunks that skip filters, by their mask.
    ds = f.create_dataset("masked", shape=(32, 20), chunks=(16, 20), dtype="<i4", compression="gzip", shuffle=True)
    ds.id.write_direct_chunk((0, 0), sample("<i4", (16, 20)).tobytes(), filter_mask=3)
    import zlib

    ds.id.write_direct_chunk((16, 0), zlib.compress(sample("<i4", (16, 20)).tobytes()), filter_mask=1)


def indexes(f):
    """Chunk indexes: which one HDF5 takes depends on libver, limits, filters and allocation."""
    for how in [{}, {"compression": "gzip", "shuffle": True}]:
        tag = "packed_" if how else ""
        values = sample("<f4", (50, 40))
        f.create_dataset(tag + "single", data=values, chunks=(50, 40), **how)
        f.create_dataset(tag + "single_edge", data=values[:33, :7], chunks=(64, 16), maxshape=(64, 16), **how)
        f.create_dataset(tag + "fixed", data=values, chunks=(8, 7), **how)
        f.create_dataset(tag + "fixed_limit", data=values, chunks=(8, 7), maxshape=(90, 95), **how)
        f.create_dataset(tag + "paged", data=sample("<i2", (130, 70)), chunks=(2, 3), **how)
        f.create_dataset(tag + "extensible", data=values, chunks=(8, 7), maxshape=(None, 40), **how)
        f.create_dataset(tag + "extensible_second", data=values, chunks=(8, 7), maxshape=(90, None), **how)
        f.create_dataset(tag + "extensible_long", data=sample("<i2", (9000,)), chunks=(4,), maxshape=(None,), **how)
        f.create_dataset(tag + "tree", data=values, chunks=(8, 7), maxshape=(None, None), **how)
        f.create_dataset(tag + "tree_deep", data=sample("<i2", (120, 90)), chunks=(2, 3), maxshape=(None, None), **how)
        # Partly written.
        for name, limit in [("fixed", None), ("extensible", (None, 40)), ("tree", (None, None))]:
            holes = f.create_dataset(
                tag + name + "_holes", shape=(50, 40), chunks=(8, 7), maxshape=limit, dtype="<f4", fillvalue=-9999, **how
            )
            holes[20:23, 10:30] = values[20:23, 10:30]
        f.create_dataset(tag + "never", shape=(9, 9), chunks=(4, 4), dtype=">f8", fillvalue=np.nan, **how)
        f.create_dataset(tag + "zeros", shape=(9, 9), chunks=(4, 4), dtype="<i4", **how)
        shrunk = f.create_dataset(tag + "shrunk", data=values, chunks=(8, 7), maxshape=(None, None), **how)
        shrunk.resize((21, 17))
        grown = f.create_dataset(tag + "grown", data=values[:10], chunks=(8, 7), maxshape=(None, 40), fillvalue=5, **how)
        grown.resize((43, 40))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((8, 7))
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    for name, limit in [(b"implicit", (50, 40)), (b"implicit_limit", (90, 95))]:
        space = h5py.h5s.create_simple((50, 40), limit)
        ds = h5py.h5d.create(f.id, name, h5py.h5t.IEEE_F32LE, space, plist)
        ds.write(h5py.h5s.ALL, h5py.h5s.ALL, sample("<f4", (50, 40)))
    # Grids too large to be looked up once for all.
    for name, limit in [("fixed", None), ("extensible", (None, 300000)), ("tree", (None, None))]:
        large = f.create_dataset("grid_" + name, shape=(4, 300000), maxshape=limit, chunks=(1, 4), dtype="u1", fillvalue=7)
        large[1, 1001:5002] = RNG.integers(0, 255, 4001)
        large[3, 299990:] = 3
    f.create_dataset("contiguous_never", shape=(7, 5), dtype="<i2", fillvalue=-7)
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((8, 7))
    plist.set_deflate(4)
    # "Do not filter partial chunks" has no call in h5py: ask its own library.
    library = [line.split()[-1] for line in open("/proc/self/maps") if "/libhdf5-" in line]
    if library and ctypes.CDLL(library[0]).H5Pset_chunk_opts(ctypes.c_int64(plist.id), ctypes.c_uint(2)) >= 0:
        for name, limit in [(b"plain_edges", (50, 40)), (b"plain_edges_tree", (h5py.h5s.UNLIMITED,) * 2)]:
            space = h5py.h5s.create_simple((50, 40), limit)
            ds = h5py.h5d.create(f.id, name, h5py.h5t.IEEE_F32LE, space, plist)
            ds.write(h5py.h5s.ALL, h5py.h5s.ALL, sample("<f4", (50, 40)))


def fixed_text(f, name, pad, size, values):
    tid = h5py.h5t.C_S1.copy()
    tid.set_size(size)
    tid.set_strpad(pad)
    data = np.array([v.ljust(size, b" " if pad == h5py.h5t.STR_SPACEPAD else b"\0")[:size] for v in values])
    data = np.frombuffer(b"".join(bytes(v).ljust(size, b"\0") for v in data), "S%d" % size)
    space = h5py.h5s.create_simple((len(values),))
    ds = h5py.h5d.create(f.id, name.encode(), tid, space)
    ds.write(h5py.h5s.ALL, h5py.h5s.ALL, data, tid)


def text(f):
    words = ["", "a", "čas", "long " * 300, "日本", " padded "]
    f.create_dataset("variable", data=np.array(words * 7, dtype=object), dtype=h5py.string_dtype())
    f.create_dataset("variable_2d", data=np.array(words, dtype=object).reshape(2, 3), dtype=h5py.string_dtype())
    f.create_dataset(
        "variable_packed", data=np.array(words * 9, dtype=object), dtype=h5py.string_dtype(), chunks=(5,), compression=4
    )
    f.create_dataset("variable_ascii", data=np.array(["x", "yy"], dtype=object), dtype=h5py.string_dtype("ascii"))
    f["scalar"] = "one scalar text"
    f.create_dataset("scalar_empty", data="", dtype=h5py.string_dtype())
    f.create_dataset("never", shape=(4,), dtype=h5py.string_dtype())
    f.create_dataset("none", shape=(0,), dtype=h5py.string_dtype())
    f["fixed"] = np.array([b"ab", b"abcdef", b"", b"a\0b"], "S6")
    f["fixed_scalar"] = np.bytes_(b"fixed scalar")
    f.create_dataset("fixed_packed", data=np.array([b"%d" % i for i in range(90)], "S5"), chunks=(16,), compression=4, shuffle=True)
    f.create_dataset("fixed_utf8", data=np.array(["é".encode(), b"x"], h5py.string_dtype("utf-8", 4)))
    latin = ["Zürich".encode("latin-1"), b"\xff\xfe", b"plain"]
    fixed_text(f, "latin_null", h5py.h5t.STR_NULLPAD, 8, latin)
    fixed_text(f, "latin_term", h5py.h5t.STR_NULLTERM, 8, latin)
    fixed_text(f, "latin_space", h5py.h5t.STR_SPACEPAD, 8, latin)
    f.attrs.create("latin", np.array(latin, "S8"))
    f.attrs.create("latin_variable", "Zürich".encode("latin-1"), dtype=h5py.string_dtype("ascii"))


def attributes(f):
    target = f.create_group("target")
    holder = f.create_dataset("holder", data=np.arange(4.0))
    few = f.create_group("few")
    few.attrs["only"] = np.int8(-3)
    for obj in [f, target, holder]:
        for code in NUMBERS:
            for order in "<>":
                name = code + ("_be" if order == ">" else "")
                obj.attrs.create("scalar_" + name, sample(order + code, ()), dtype=order + code)
                obj.attrs.create("array_" + name, sample(order + code, (5,)), dtype=order + code)
        obj.attrs.create("matrix", sample("<f4", (3, 4)))
        obj.attrs.create("none", np.zeros((0,), "f8"))
        obj.attrs["bool"] = np.bool_(True)
        obj.attrs["bools"] = np.array([True, False, True])
        obj.attrs.create("enum", np.int16(2), dtype=h5py.enum_dtype({"a": 0, "b": 2}, "i2"))
        obj.attrs["text"] = "text é 日本"
        obj.attrs["text_empty"] = ""
        obj.attrs["texts"] = np.array(["", "b", "čč"], dtype=object)
        obj.attrs.create("texts_2d", np.array(["a", "b", "c", ""], dtype=object).reshape(2, 2), dtype=h5py.string_dtype())
        obj.attrs["fixed"] = np.bytes_(b"fixed")
        obj.attrs["fixeds"] = np.array([b"ab", b"", b"abc"], "S3")
        obj.attrs["null"] = h5py.Empty("f4")
        obj.attrs["null_text"] = h5py.Empty("S5")
        obj.attrs["reference"] = target.ref
        obj.attrs.create("references", np.array([f.ref, holder.ref, target.ref], dtype=object), dtype=h5py.ref_dtype)
        obj.attrs["complex"] = 1 + 2j
        obj.attrs["compound"] = np.array((1, 2.5), dtype=[("a", "i4"), ("b", "f8")])
        obj.attrs["opaque"] = np.void(b"\x00\x01\x02")
        obj.attrs["region"] = holder.regionref[1:3]
        obj.attrs.create("lists", np.array([np.arange(2), np.arange(3)], dtype=object), dtype=h5py.vlen_dtype("i4"))
        obj.attrs["days"] = np.arange(6).reshape(2, 3)
        obj.attrs["ünïcode name"] = 1.5
    many = f.create_group("many")
    for i in range(300):
        many.attrs["attribute %03d" % i] = i
    f["committed"] = np.dtype("<f8")
    f.create_dataset("with_committed", data=np.arange(3.0), dtype=f["committed"])


def big_attribute(f):
    f.attrs.create("large", np.arange(40000, dtype="<i4"))
    f.create_group("g").attrs.create("large", np.arange(30000, dtype=">f8"))


def structure(f):
    a = f.create_group("a")
    b = a.create_group("b/c/d/e")
    b["deep"] = np.arange(3)
    f["hard"] = np.arange(5)
    f["z_hard_again"] = f["hard"]
    a["up"] = f["/"]
    b["loop"] = a
    f["soft_ok"] = h5py.SoftLink("/a/b/c")
    f["soft_dead"] = h5py.SoftLink("/nowhere/at/all")
    f["soft_self"] = h5py.SoftLink("/soft_self")
    f["soft_ping"] = h5py.SoftLink("/soft_pong")
    f["soft_pong"] = h5py.SoftLink("/soft_ping")
    a["relative"] = h5py.SoftLink("b/c/d/e/deep")
    f["external"] = h5py.ExternalLink("other file.h5", "/some/data")
    many = f.create_group("many")
    for i in range(200):
        many.create_group("group %d" % i)
    for i in range(30):
        many["data %d" % i] = np.int32(i)
    many["soft inside"] = h5py.SoftLink("group 7")
    many["dead inside"] = h5py.SoftLink("group 7000")
    f.create_dataset("refs", data=np.array([a.ref, f["hard"].ref, None, f.ref, b["deep"].ref], dtype=object), dtype=h5py.ref_dtype)
    f.create_dataset("refs_2d", data=np.array([a.ref, b.ref], dtype=object).reshape(2, 1), dtype=h5py.ref_dtype)
    f["compound"] = np.zeros(3, dtype=[("a", "i4"), ("b", "S3")])
    f["complex"] = np.zeros(3, dtype="c8")
    f["opaque"] = np.array([b"\x01\x02"], "V2")
    f.create_dataset("lists", data=np.array([np.arange(2), np.arange(3)], dtype=object), dtype=h5py.vlen_dtype("i4"))
    f.create_dataset("array", shape=(3,), dtype=np.dtype(("<f4", (2, 2))))
    f["regions"] = h5py.Empty("f8")
    for name, fields, bias in [(b"bfloat16", (15, 7, 8, 0, 7), 127)]:
        tid = h5py.h5t.IEEE_F32LE.copy()
        tid.set_fields(*fields)
        tid.set_size(2)
        tid.set_ebias(bias)
        h5py.h5d.create(f.id, name, tid, h5py.h5s.create_simple((4,)))
    tid = h5py.h5t.STD_I16LE.copy()
    tid.set_precision(12)
    h5py.h5d.create(f.id, b"twelve", tid, h5py.h5s.create_simple((4,)))
    h5py.h5d.create(f.id, b"bits", h5py.h5t.STD_B16LE, h5py.h5s.create_simple((4,)))
    f.create_dataset("elsewhere", shape=(4,), dtype="f4", external=[("raw.bin", 0, 16)])


def scales(f):
    for name, n in [("y", 4), ("x", 6), ("x2", 6)]:
        f[name] = np.arange(n) * 0.5
        f[name].make_scale(name)
    f["g/z"] = sample("<f4", (4, 6))
    f["g/z"].dims[0].attach_scale(f["y"])
    f["g/z"].dims[1].attach_scale(f["x"])
    f["g/z"].dims[1].attach_scale(f["x2"])
    f["g/z"].dims[0].label = "north"
    f["half"] = sample("<f4", (4, 6))
    f["half"].dims[1].attach_scale(f["x"])
    f["bare"] = sample("<f4", (4, 6))


def ordered(f):
    for name in ["zz", "aa", "mm"]:
        f.create_group(name, track_order=True).attrs["n"] = 1
        f[name].create_dataset("d", data=np.arange(3), track_order=True)
    for i in range(40):
        f["zz"].attrs["b%d" % (40 - i)] = i


def small(f):
    f.attrs["title"] = "Zürich".encode("latin-1")
    for i in range(12):
        f.attrs["n%d" % i] = np.int16(i)
    f.create_dataset("packed", data=sample("<f4", (19, 23)), chunks=(8, 9), compression="gzip", shuffle=True, fletcher32=True)
    f.create_dataset("lzf", data=sample(">i2", (12, 7)), chunks=(5, 7), compression="lzf")
    f.create_dataset("grows", data=sample("<f8", (9, 2)), chunks=(4, 2), maxshape=(None, 2), compression="gzip")
    f.create_dataset("tree", data=sample("<u2", (7, 6)), chunks=(3, 3), maxshape=(None, None), compression="gzip")
    f.create_dataset("holes", shape=(9, 9), chunks=(4, 4), dtype="<f4", fillvalue=-1.5)
    f["plain"] = sample("<f8", (5, 3))
    f["flags"] = np.array([True, False])
    g = f.create_group("g")
    g.create_dataset("names", data=np.array(["", "one", "čtyři"], dtype=object), dtype=h5py.string_dtype())
    g["codes"] = np.array([b"ab", b"c"], "S3")
    g.create_dataset("refs", data=np.array([f["plain"].ref, g.ref], dtype=object), dtype=h5py.ref_dtype)
    g.attrs["texts"] = np.array(["x", "yy"], dtype=object)
    g.attrs["ref"] = f["plain"].ref
    for i in range(10):
        g.attrs["a%02d" % i] = float(i)
    g["dead"] = h5py.SoftLink("/nowhere")
    g["loop"] = f["/"]
    values = np.cumsum(RNG.integers(-4, 5, size=(12, 11)), axis=1).astype("<i4")
    rare = {"scaleoffset": {"scaleoffset": 0}, "single": {"maxshape": (12, 11)}}
    if hdf5plugin:
        rare.update({"blosc_" + c: hdf5plugin.Blosc(cname=c, shuffle=1) for c in ["blosclz", "lz4", "zlib", "zstd"]})
        rare.update(bitshuffle=hdf5plugin.Bitshuffle(cname="lz4"), lz4=hdf5plugin.LZ4(), bzip2=hdf5plugin.BZip2())
        rare.update(zstd=hdf5plugin.Zstd())
    for name, how in rare.items():
        f.create_dataset("rare/" + name, data=values, chunks=(12, 11) if name == "single" else (7, 11), **how)
    f["x"] = np.arange(3.0)
    f["x"].make_scale("x")
    f["plain"].dims[1].attach_scale(f["x"])


def big(out):
    """Files over 4 GiB that take next to no space: a hole, then data; chunks beyond 4 GiB."""
    files = []
    name = os.path.join(out, "big.h5")
    with h5py.File(name, "w", libver="latest") as f:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((600000, 2000))
        hole = h5py.Dataset(h5py.h5d.create(f.id, b"hole", h5py.h5t.IEEE_F32LE, space, plist))
        hole[599000:599003, 10:50] = np.arange(120.0).reshape(3, 40)
        after = f.create_dataset("after", data=sample("<f4", (300, 200)), chunks=(64, 64), compression="gzip", shuffle=True)
        f.create_dataset("tail", data=sample(">f8", (50, 3)))
        f["name"] = "beyond"
        f.attrs["text"] = np.array(["beyond", "4 GiB"], dtype=object)
        expected = {
            "file": "big.h5",
            "hole": {"start": [598999, 9], "count": [5, 42], "npy": "big.hole.npy"},
            "after": "big.after.npy",
            "tail": "big.tail.npy",
        }
        np.save(os.path.join(out, "big.hole.npy"), hole[598999:599004, 9:51])
        np.save(os.path.join(out, "big.after.npy"), after[:])
        np.save(os.path.join(out, "big.tail.npy"), f["tail"][:])
    files.append(expected)
    with open(os.path.join(out, "big.json"), "w") as f:
        json.dump(files, f)


def main():
    if sys.argv[1] == "--describe":
        out, files = sys.argv[2], sys.argv[3:]
    else:
        out, files = sys.argv[1], []
        os.makedirs(out, exist_ok=True)
        if "--big" in sys.argv:
            return big(out)
        kinds = [small] if "--small" in sys.argv else [
            numbers, filters, indexes, text, attributes, structure, scales, ordered, small
        ]
        for libver in ["earliest", "latest"]:
            for kind in kinds + ([big_attribute] if libver == "latest" and len(kinds) > 1 else []):
                name = os.path.join(out, "%s_%s.h5" % (kind.__name__, libver))
                with h5py.File(name, "w", libver=libver, track_order=kind is ordered) as f:
                    kind(f)
                files.append(name)
        if len(kinds) > 1:
            name = os.path.join(out, "userblock.h5")
            with h5py.File(name, "w", userblock_size=1024) as f:
                small(f)
            with open(name, "r+b") as f:
                f.write(b"a user block of our own")
            files.append(name)
    os.makedirs(out, exist_ok=True)
    manifest = [describe(name, out, "--small" in sys.argv) for name in files]
    with open(os.path.join(out, "manifest.json"), "w") as f:
        json.dump(manifest, f)


main()
