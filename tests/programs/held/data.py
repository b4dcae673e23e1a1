"""What a program that reads data keeps: parsed JSON, rows, matches, buffers."""
import collections
import io
import json
import re
from snapshot import finish, fresh, start

Row = collections.namedtuple("Row", "number name place more")
document = '{"rows": [%s]}' % ",".join(
    '{"id": "%d", "name": "row %d", "tags": "a%d"}' % (n, n, n) for n in range(400)
)
pattern = re.compile(r"row \d+")
pattern.findall(document)
json.loads(document)
rows, matches, lines = [[None] * 500 for _ in range(3)]

start()
parsed = json.loads(document)  #: first
fresh()
words = pattern.findall(document)
fresh()
index = {}
for row in parsed["rows"]:
    index.setdefault(row["name"][:5], set()).add(row["name"])
fresh()
buffer = io.BytesIO()
for number in range(1000):
    buffer.write(b"%d;" % number)
fresh()
for number in range(500):
    rows[number] = Row(None, "name %d" % number, "place %d" % number, None)
fresh()
ordered = collections.OrderedDict.fromkeys(words)
fresh()
sliced = document[100:5000]
fresh()
for number in range(300):
    matches[number] = pattern.match(words[number])
fresh()
for number in range(100):
    lines[number] = document.split("7", number + 1)  #: last
finish(__file__)
