"""Bytes and text, most of it larger than what pymalloc serves."""
from snapshot import finish, fresh, start

zeros, narrow, latin, wide, widest, arrays, padded, views = [[None] * 300 for _ in range(8)]
names = ["field-%d" % n for n in range(3000)]
pieces = [bytes([n % 256]) * 50 for n in range(500)]
start()
for number in range(100):  #: first
    zeros[number] = bytes(1000 + number)
    narrow[number] = "x" * (300 + number)
    latin[number] = "é" * (2000 + number)
    wide[number] = "語" * number * 3
    widest[number] = "\U0001f600" * (number + 10)
    arrays[number] = bytearray(5000 + number)
fresh()
line = ",".join(names)
fresh()
fields = line.split(",")
upper = line.upper()
joined = b"".join(pieces)
fresh()
grown = bytearray()
for number in range(2000):
    grown += b"0123456789"
text = ""
for number in range(500):
    text += "line %d\n" % number
encoded = text.encode("utf-16")
replaced = text.replace("line", "a longer word")
translated = text.translate(str.maketrans("l", "L"))
for number in range(200):
    padded[number] = fields[number].rjust(60)
sliced = text[100:4000]
for number in range(50):
    views[number] = memoryview(bytearray(300 + number))  #: last
finish(__file__)
