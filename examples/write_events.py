#!/usr/bin/env python3
"""Write events for `nissl decode --stream`: a small writer, and a recording sent through it.

    python examples/write_events.py fixtures/decode/realtime > events.ns
    python examples/write_events.py fixtures/decode/realtime --paced |
        nissl decode --stream - -o ticks.npy --realtime-config fixtures/decode/realtime/config.json

The folder holds arrays: in_pos_timestamp, in_pos_bin, in_velocity, in_spike_timestamp,
in_spike_trode, in_spike_mark and, if there are tick records, in_tick_timestamp; times are samples of
the spike clock. Needs numpy only.

A stream is little-endian. It begins with 16 bytes, NISSLEV1 and the clock (f64, samples per second);
each event is 16 bytes and its values:

    u8   kind: 1 position, 2 spike, 3 tick, 4 local field potential, 5 end
    u8   0
    u16  electrode of a spike, channel of a field potential, else 0
    u16  D, number of values
    u16  0
    i64  time, samples of the clock
    f32  D values: coordinates, then speed if it is known; the spike's mark; one value; none for tick
         and end

At equal times position comes first, then spike, then tick.
"""

import argparse
import pathlib
import struct
import sys
import time

import numpy

POSITION, SPIKE, TICK, LFP, END = 1, 2, 3, 4, 5


class EventWriter:
    """Writes events to a binary file: a pipe, a FIFO, or a file that grows."""

    def __init__(self, file, clock=30000.0):
        self.file = file
        file.write(b"NISSLEV1" + struct.pack("<d", clock))

    def event(self, kind, at, values=(), channel=0):
        """One event at sample `at`."""
        values = numpy.asarray(values, "<f4").ravel()
        self.file.write(struct.pack("<BBHHHq", kind, 0, channel, len(values), 0, at) + values.tobytes())

    def position(self, at, coordinates, speed=None):
        """Where the animal is; without a speed it is taken from the last two samples."""
        coordinates = numpy.atleast_1d(coordinates)
        self.event(POSITION, at, coordinates if speed is None else numpy.append(coordinates, speed))

    def spike(self, at, electrode, mark):
        """A spike with its mark, one value per channel."""
        self.event(SPIKE, at, mark, electrode)

    def tick(self, at):
        """Decode now; once there is such a record, ticks are made where they say only."""
        self.event(TICK, at)

    def lfp(self, at, value, channel=0):
        """A sample of local field potential."""
        self.event(LFP, at, [value], channel)

    def end(self, at):
        """The stream is over: a reader of a growing file stops here."""
        self.event(END, at)
        self.file.flush()


def events(folder):
    """(time, order, write) of all events in the arrays of `folder`."""
    load = lambda name: numpy.load(folder / f"in_{name}.npy")
    for at, place, speed in zip(load("pos_timestamp"), load("pos_bin"), load("velocity")):
        yield at, 0, lambda to, a=at, p=place, v=speed: to.position(a, p, v)
    for at, electrode, mark in zip(load("spike_timestamp"), load("spike_trode"), load("spike_mark")):
        yield at, 1, lambda to, a=at, e=electrode, m=mark: to.spike(a, e, m)
    if (folder / "in_tick_timestamp.npy").exists():
        for at in load("tick_timestamp"):
            yield at, 2, lambda to, a=at: to.tick(a)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path, help="folder of arrays")
    parser.add_argument("--clock", type=float, default=30000.0, help="samples per second")
    parser.add_argument("--paced", action="store_true", help="write each event when its time has come")
    parser.add_argument("--seconds", type=float, help="stop after so much of the recording")
    options = parser.parse_args()
    every = sorted(events(options.folder), key=lambda event: event[:2])
    first, began = every[0][0], time.monotonic()
    if options.seconds:
        every = [event for event in every if event[0] - first <= options.seconds * options.clock]
    writer = EventWriter(sys.stdout.buffer, options.clock)
    for at, _, write in every:
        if options.paced:
            wait = began + (at - first) / options.clock - time.monotonic()
            if wait > 0:
                writer.file.flush()
                time.sleep(wait)
        write(writer)
    writer.end(every[-1][0])


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.stderr.close()
