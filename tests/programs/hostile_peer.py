"""Says hello as a traced process does, with a ring, and goes. A child of its that the collector
knows nothing of goes on writing into the ring until its input ends: the head, the counts, and all
words, each as a record that the reader has not had yet. Usage: hostile_peer.py SOCKET DETAIL..."""

import mmap
import os
import select
import socket
import struct
import sys
import time

import wire

PAGE = 4096


def ring():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        details = b"".join(word.encode() + b"\0" for word in sys.argv[2:])
        connection.sendall(
            wire.HELLO.pack(
                wire.HELLO_MAGIC, wire.WIRE_VERSION, 0, 0, os.getpid(), 1, wire.RING, len(details),
                time.monotonic_ns(), 0, 0,
            ) + details
        )  # fmt: skip
        answer, parts, _, _ = socket.recv_fds(connection, wire.WELCOME.size, 2)
    welcome = wire.Welcome(*wire.WELCOME.unpack(answer))
    assert (welcome.verdict, welcome.carrier) == (wire.ACCEPTED, wire.RING)
    return mmap.mmap(parts[1], 0), mmap.mmap(parts[0], 0, prot=mmap.PROT_READ), welcome.log2


def write(memory, reader, log2):
    """What the reader comes to next has always the lap bit that it looks for."""
    count = 1 << log2
    free = wire.first(wire.FREE, 16) & ~wire.LAP
    words = [memoryview(struct.pack("=Q", free | lap) * count) for lap in (wire.LAP, 0)]
    while not select.select([0], [], [], 0)[0]:
        (tail,) = struct.unpack_from("=Q", reader, 64)
        at, lap = tail % count * 8, tail >> log2 & 1
        memory[PAGE + at :] = words[lap][at:]
        memory[PAGE : PAGE + at] = words[not lap][:at]
        for head in (1 << 63, tail - 1, tail + 1, tail + count):
            struct.pack_into("=QQI", memory, 0, head % (1 << 64), (1 << 64) - 1, 1)
            struct.pack_into("=II", memory, 64, 1, 1)


memory, reader, log2 = ring()
print("here", flush=True)
sys.stdin.readline()
if os.fork() == 0:
    write(memory, reader, log2)
