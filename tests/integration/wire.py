"""The layouts of schema/wire.h, handshake.h and ring.h that tests speak by themselves."""

import collections
import struct

HELLO_MAGIC, FRAME_MAGIC, RING_MAGIC, WIRE_VERSION = 0x48504C48, 0x48504C46, 0x48504C52, 5
HELLO = struct.Struct("=IIIIIIIIQQQ")
WELCOME = struct.Struct("=IIIIIIQQ")
FRAME = struct.Struct("=IIQQ")
RING, STREAM = range(2)
DECLINED, ACCEPTED, VERSION, WRONG_TOKEN, LIMIT, NONSENSE = range(6)
LAP, FIRST, KIND_SHIFT = 1 << 63, 1 << 62, 58
ALLOCATION, FREE, STACK, CODE, THREAD, TIME, MARK = 1, 2, 5, 6, 7, 8, 9

Welcome = collections.namedtuple("Welcome", "magic version verdict carrier log2 overflow patience stream")


def first(kind, rest=0):
    """The first word of a record in a ring's first pass."""
    return LAP | FIRST | kind << KIND_SHIFT | rest
