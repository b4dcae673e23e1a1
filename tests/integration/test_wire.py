"""wire.py reads the headers as the compiler does."""

import pytest
import wire
from harness import run

LAYOUTS = (wire.HELLO, wire.WELCOME, wire.FRAME, wire.CONTROL, wire.READER_PAGE, wire.WRITERS_PAGE)


@pytest.mark.one_interpreter
def test_layouts_and_constants(tmp_path):
    asked = [(f"sizeof(struct {layout.name})", layout.size) for layout in LAYOUTS]
    for layout in LAYOUTS:
        asked += [(f"offsetof(struct {layout.name}, {member})", at) for member, (at, _) in layout.at.items()]
    asked += wire.CONSTANTS.items()
    source, program = tmp_path / "layouts.c", tmp_path / "layouts"
    lines = [f'#include "{header}"' for header in wire.HEADERS] + ["#include <stddef.h>", "#include <stdio.h>"]
    lines += ["int main(void) {"] + [f'printf("%llu\\n", (unsigned long long)({what}));' for what, _ in asked] + ["}"]
    source.write_text("\n".join(lines))
    run(["gcc", "-std=gnu11", f"-I{wire.SCHEMA}", "-o", program, source], check=0)
    said = map(int, run([program], check=0).out.split())
    assert [(what, number) for what, number in zip((what for what, _ in asked), said)] == asked
    assert {"WIRE_KIND_SHIFT", "HELLO_DETAILS_MAX", "WELCOME_NONSENSE", "CONTROL_GONE"} <= set(wire.CONSTANTS)
