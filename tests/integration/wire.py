"""What tests speak by themselves of schema/wire.h, handshake.h, control.h and ring.h, read out of
these headers: constants, and structures with their members' names. test_wire.py asks the compiler
whether it reads them right."""

import re
import struct
import types
from pathlib import Path

SCHEMA = Path(__file__).resolve().parents[2] / "schema"
CODES = {"uint64_t": "Q", "int32_t": "i", "uint32_t": "I", "uint16_t": "H", "uint8_t": "B", "char": "s"}


def _source(header):
    """A header without its comments, and lines that go on joined."""
    text = (SCHEMA / header).read_text().replace("\\\n", " ")
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def _constants(source, known):
    """Adds what has a number: #define NAME EXPRESSION, and NAME = NUMBER in an enum."""
    pattern = r"^#define[ \t]+(\w+)[ \t]+([^\n\"]+)$|\b([A-Z]\w+)\s*=\s*(\d+)\s*[,}]"
    for defined, expression, listed, number in re.findall(pattern, source, flags=re.MULTILINE):
        plain = re.sub(r"U?INT\d+_C\((\w+)\)", r"\1", expression or number)
        plain = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)[uU]\b", r"\1", plain)
        if re.fullmatch(r"[\w\s()<+*-]+", plain):
            try:
                known[defined or listed] = eval(plain, {}, known)
            except (NameError, SyntaxError):
                pass  # it is no number


class Layout:
    """A structure: pack(member=value, …) sets the others to 0, unpack() gives all by their names."""

    def __init__(self, source, name, constants):
        (body,) = re.findall(rf"struct {name} {{(.*?)}};", source, flags=re.DOTALL)
        self.name, self.at, self.size, most = name, {}, 0, 1
        for aligned, kind, members in re.findall(r"(?:_Alignas\((\d+)\) )?(?:_Atomic )?(\w+) ([\w\s,\[\]]+);", body):
            for member, count in re.findall(r"(\w+)(?:\[(\w+)\])?", members):
                code = (str(constants.get(count, count)) if count else "") + CODES[kind]
                alignment = max(int(aligned or 1), struct.calcsize(CODES[kind]))
                offset = -(-self.size // alignment) * alignment
                self.at[member] = (offset, "=" + code)
                self.size = offset + struct.calcsize("=" + code)
                most = max(most, alignment)
        self.size = -(-self.size // most) * most

    def put(self, memory, **values):
        """Into memory where the structure begins."""
        for member, value in values.items():
            offset, code = self.at[member]
            struct.pack_into(code, memory, offset, value)

    def get(self, memory, member):
        offset, code = self.at[member]
        return struct.unpack_from(code, memory, offset)[0]

    def pack(self, **values):
        memory = bytearray(self.size)
        self.put(memory, **values)
        return bytes(memory)

    def unpack(self, memory):
        assert len(memory) == self.size, (self.name, memory)
        return types.SimpleNamespace(**{member: self.get(memory, member) for member in self.at})


HEADERS = {name: _source(name) for name in ("wire.h", "handshake.h", "control.h", "ring.h")}
CONSTANTS = {}
for _text in HEADERS.values():
    _constants(_text, CONSTANTS)


def _named(*names):
    return [CONSTANTS[name] for name in names]


WIRE_VERSION, HELLO_MAGIC, FRAME_MAGIC, RING_MAGIC = _named("WIRE_VERSION", "HANDSHAKE_MAGIC", "FRAME_MAGIC", "RING_MAGIC")
RING_PAGE_BYTES = CONSTANTS["RING_PAGE_BYTES"]
HELLO, WELCOME, FRAME = (Layout(HEADERS["handshake.h"], name, CONSTANTS) for name in ("hello", "welcome", "frame"))
CONTROL = Layout(HEADERS["control.h"], "control_message", CONSTANTS)
READER_PAGE, WRITERS_PAGE = (Layout(HEADERS["ring.h"], f"ring_{name}_page", CONSTANTS) for name in ("reader", "writers"))
RING, STREAM, RUN = _named("HELLO_RING", "HELLO_STREAM", "HELLO_RUN")
DECLINED, ACCEPTED, VERSION, WRONG_TOKEN, LIMIT, NONSENSE = _named(
    *(f"WELCOME_{verdict}" for verdict in ("DECLINED", "ACCEPTED", "VERSION", "TOKEN", "LIMIT", "NONSENSE"))
)
READY, STARTED, ENDED, DONE = _named("CONTROL_READY", "CONTROL_STARTED", "CONTROL_ENDED", "CONTROL_DONE")
LAP, FIRST, KIND_SHIFT, KIND_MASK = _named("WIRE_LAP_BIT", "WIRE_FIRST_BIT", "WIRE_KIND_SHIFT", "WIRE_KIND_MASK")
ALLOCATION, FREE, STACK, CODE, THREAD, TIME, MARK = _named(
    *(f"WIRE_{kind}" for kind in ("ALLOCATION", "FREE", "STACK", "CODE", "THREAD", "TIME", "MARK"))
)
MARK_SHIFT, MARK_VALUE_MASK = _named("WIRE_MARK_SHIFT", "WIRE_MARK_VALUE_MASK")


def first(kind, rest=0):
    """The first word of a record in a ring's first pass."""
    return LAP | FIRST | kind << KIND_SHIFT | rest
