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

PAGE_BYTES, LOG2_WORDS = wire.RING_PAGE_BYTES, 20


def make_ring():
    """The reader's page and the writers' memory."""
    reader, writers = os.memfd_create("stand-in reader"), os.memfd_create("stand-in")
    os.ftruncate(reader, PAGE_BYTES)
    os.ftruncate(writers, PAGE_BYTES + 8 * (1 << LOG2_WORDS))
    os.pwrite(reader, wire.READER_PAGE.pack(magic=wire.RING_MAGIC, log2_words=LOG2_WORDS, patience_ns=10**9), 0)
    return reader, writers


def welcome(connection, ring):
    """With a ring the process is traced; with None it goes on untraced."""
    hello = wire.HELLO.unpack(connection.recv(wire.HELLO.size, socket.MSG_WAITALL))
    assert (hello.magic, hello.wire_version) == (wire.HELLO_MAGIC, wire.WIRE_VERSION)
    connection.recv(hello.details, socket.MSG_WAITALL)
    verdict = wire.DECLINED if ring is None else wire.ACCEPTED
    answer = wire.WELCOME.pack(magic=wire.HELLO_MAGIC, wire_version=wire.WIRE_VERSION, verdict=verdict, carrier=wire.RING)
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
        head = wire.WRITERS_PAGE.get(memory, "head")
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
    marks = [w for w in words if w & wire.FIRST and w >> wire.KIND_SHIFT & wire.KIND_MASK == wire.MARK]
    return out, [w & wire.MARK_VALUE_MASK for w in marks if w >> wire.MARK_SHIFT & 255 == mark]
