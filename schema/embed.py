"""Turns a text file into a C string constant: embed.py INPUT OUTPUT NAME HEADER."""

import sys

source, target, name, header = sys.argv[1:]
with open(source, "rb") as stream:
    data = stream.read() + b"\0"
with open(target, "w") as stream:
    stream.write(f'#include "{header}"\n\nconst char {name}[] = {{\n')
    for start in range(0, len(data), 16):
        stream.write("    " + " ".join(f"{byte}," for byte in data[start : start + 16]) + "\n")
    stream.write("};\n")
