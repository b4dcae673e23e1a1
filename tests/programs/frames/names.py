"""Names that are not ASCII, of one, two and four bytes a character, and one that is very long."""
from stackcheck import finish, hold

for number, (file, function) in enumerate(
    [
        ("<plain>", "plain"),
        ("/tmp/naïve/übung.py", "größe"),
        ("/tmp/日本語/プログラム.py", "関数"),
        ("<mixed \U0001f40d>", "𝒻"),
        ("/tmp/" + "long/" * 200 + "name.py", "f" * 500),
        ('/tmp/"quotes"\\and\ttabs.py', "quoted"),
    ]
):
    exec(compile(f"def {function}():\n    hold({1000 + number})\n{function}()", file, "exec"))


def größer():
    hold(2000)


größer()
finish()
