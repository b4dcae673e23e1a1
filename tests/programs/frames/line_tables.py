"""Line tables with large steps in code and in lines, both ways, and statements of many lines."""
from stackcheck import finish, hold, keep, note

# Far apart lines in one code object.
text = ["def far():"]
for number in range(20):
    text += [""] * (number * number * 3)
    text.append("    hold(%d)" % (1000 + number))
text.append("far()")
exec(compile("\n".join(text), "<far>", "exec"))

# Much code on one line, before the next.
text = ["def wide(x):"]
for number in range(10):
    text.append("    " + "; ".join(["x = x + %d * (x - 1)" % number] * 60))
    text.append("    hold(%d)" % (2000 + number))
text.append("wide(1)")
exec(compile("\n".join(text), "<wide>", "exec"))

# A statement that goes back to an earlier line.
text = ["def back():", "    for n in ("] + ["        %d," % n for n in range(300)] + ["    )[:3]:"]
text += ["        (", "            hold", "        )(", "", "            3000 + n", "        )"]
text.append("back()")
exec(compile("\n".join(text), "<back>", "exec"))


def many_lines(a, b):
    return (
        keep([None] * note(4000))
        or a
        or keep(
            [None] * note(4001),
        )
        or [
            keep([None] * note(4002)),
            b,
            keep(
                [None] * note(4003),
            ),
        ]
    )


many_lines(0, 0)

{
    "a": keep([None] * note(4100)),
    "b": [
        keep([None] * note(4101 + n))
        for n in range(2)
        if n
        or not n
    ],
}

if keep([None] * note(4200)) or \
        not keep([None] * note(4201)) or \
        hold(4202):
    hold(4203)

while True:
    try:
        hold(4300)
        raise KeyError(
            hold(4301),
        )
    except KeyError as error:
        hold(4302)
        break
    finally:
        hold(4303)

with open("/dev/null") as first, \
        open("/dev/null") as second:
    hold(4400)

# Long code: the table's offsets need more than one byte.
text = ["def long(x):"]
for number in range(30):
    text += ["    x = [x, %d][0]" % n for n in range(40)]
    text.append("    hold(%d)" % (5000 + number))
text.append("long(1)")
exec(compile("\n".join(text), "<long>", "exec"))
finish()
