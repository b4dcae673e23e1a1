"""The shortest program: what starting and ending a recording costs."""

print("hello, world")
