"""Says hello as a traced process does, with a ring, and goes when a child of its that the collector
knows nothing of has begun to write into the ring. The child goes on with it until its input ends: the
head, the counts, and all words, each as a record that the reader has not had yet. Usage:
hostile_peer.py SOCKET DETAIL..."""

import mmap
import os
import select
import socket
import struct
import sys
import time

import wire

PAGE = wire.RING_PAGE_BYTES


def ring():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        details = b"".join(word.encode() + b"\0" for word in sys.argv[2:])
        connection.sendall(
            wire.HELLO.pack(
                magic=wire.HELLO_MAGIC,
                wire_version=wire.WIRE_VERSION,
                process=os.getpid(),
                parent=1,
                carrier=wire.RING,
                details=len(details),
                clock_ns=time.monotonic_ns(),
            )
            + details
        )
        answer, parts, _, _ = socket.recv_fds(connection, wire.WELCOME.size, 2)
    welcome = wire.WELCOME.unpack(answer)
    assert (welcome.verdict, welcome.carrier) == (wire.ACCEPTED, wire.RING)
    return mmap.mmap(parts[1], 0), mmap.mmap(parts[0], 0, prot=mmap.PROT_READ), welcome.log2_words


def write(memory, reader, log2):
    """What the reader comes to next has always the lap bit that it looks for."""
    count = 1 << log2
    free = wire.first(wire.FREE, 16) & ~wire.LAP
    words = [memoryview(struct.pack("=Q", free | lap) * count) for lap in (wire.LAP, 0)]
    tail = wire.READER_PAGE.get(reader, "tail")
    at, lap = tail % count * 8, tail >> log2 & 1
    memory[PAGE + at :] = words[lap][at:]
    memory[PAGE : PAGE + at] = words[not lap][:at]
    for head in (1 << 63, tail - 1, tail + 1, tail + count):
        wire.WRITERS_PAGE.put(
            memory, head=head % (1 << 64), dropped=(1 << 64) - 1, abandoned=1, reader_sleeps=1, writers_wait=1
        )


memory, reader, log2 = ring()
print("here", flush=True)
sys.stdin.readline()
begun, begin = os.pipe()
if os.fork() == 0:
    write(memory, reader, log2)
    os.write(begin, b"!")
    while not select.select([0], [], [], 0)[0]:
        write(memory, reader, log2)
else:
    os.read(begun, 1)
