"""Turns a text file into a C string constant: embed.py INPUT OUTPUT NAME HEADER [ALLOCATORS.H]. With
the last one, @ALLOCATORS@ in the text becomes the SQL rows of that list."""

import re
import sys

source, target, name, header, *lists = sys.argv[1:]
with open(source, "rb") as stream:
    data = stream.read() + b"\0"
for path in lists:
    with open(path) as stream:
        names = re.findall(r'ALLOCATOR\(\w+, "(\w+)"\)', stream.read())
    rows = ", ".join(f"({number}, '{allocator}')" for number, allocator in enumerate(names))
    data = data.replace(b"@ALLOCATORS@", rows.encode())
with open(target, "w") as stream:
    stream.write(f'#include "{header}"\n\nconst char {name}[] = {{\n')
    for start in range(0, len(data), 16):
        stream.write("    " + " ".join(f"{byte}," for byte in data[start : start + 16]) + "\n")
    stream.write("};\n")
