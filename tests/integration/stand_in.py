"""A stand-in for the collector: takes one traced process and keeps all that its shim sends.

It speaks the handshake of schema/handshake.h, hands out a ring of schema/ring.h and never reads
from it while the process runs, so that every word still stands there when it has ended.
"""

import mmap
import os
import socket
import struct
import threading

import harness
import wire

PAGE_BYTES, LOG2_WORDS = 4096, 20
HEAD_OFFSET = 0
MARK_SHIFT = 50


def make_ring():
    """The reader's page and the writers' memory."""
    reader, writers = os.memfd_create("stand-in reader"), os.memfd_create("stand-in")
    os.ftruncate(reader, PAGE_BYTES)
    os.ftruncate(writers, PAGE_BYTES + 8 * (1 << LOG2_WORDS))
    patience_ns = 10**9
    os.pwrite(reader, struct.pack("IIIIQ", wire.RING_MAGIC, LOG2_WORDS, 0, 0, patience_ns), 0)
    return reader, writers


def welcome(connection, ring):
    """With a ring the process is traced; with None it goes on untraced."""
    hello = wire.HELLO.unpack(connection.recv(wire.HELLO.size, socket.MSG_WAITALL))
    assert hello[:2] == (wire.HELLO_MAGIC, wire.WIRE_VERSION)
    connection.recv(hello[7], socket.MSG_WAITALL)
    verdict = wire.DECLINED if ring is None else wire.ACCEPTED
    answer = wire.WELCOME.pack(*wire.Welcome(wire.HELLO_MAGIC, wire.WIRE_VERSION, verdict, wire.RING, 0, 0, 0, 0))
    socket.send_fds(connection, [answer], ring or [])


def serve(listener, ring):
    """The first process that comes gets the ring. Until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            welcome(connection, ring)
        ring = None


def words_of(writers):
    with mmap.mmap(writers, 0, prot=mmap.PROT_READ) as memory:
        (head,) = struct.unpack_from("Q", memory, HEAD_OFFSET)
        assert head <= 1 << LOG2_WORDS
        return struct.unpack_from(f"{head}Q", memory, PAGE_BYTES)


def marks_of(command, mark, build=harness.BUILD, **options):
    """Runs the command to its end, which must be good; what it has printed, and the values of all
    records MARK with this mark that its first process has sent, in their order."""
    address = f"heapline-stand-in-{os.getpid()}"
    ring = make_ring()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{address}")
        listener.listen()
        server = threading.Thread(target=serve, args=(listener, ring))
        server.start()
        env = harness.environment(LD_PRELOAD=build / "libheapline.so", HEAPLINE_DAEMON=f"unix:@{address}")
        try:
            out = harness.run(command, env=env, check=0, **options).out
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join()
    words = words_of(ring[1])
    for descriptor in ring:
        os.close(descriptor)
    marks = [w for w in words if w & wire.FIRST and w >> wire.KIND_SHIFT & 15 == wire.MARK]
    return out, [w & ((1 << 48) - 1) for w in marks if w >> MARK_SHIFT & 255 == mark]
