"""Parse and compile sources of the standard library: many short-lived nodes of many types."""

import ast
import os
import sys

NAMES = ("argparse", "ast", "dataclasses", "inspect", "pickle", "subprocess", "tarfile", "typing")


def read_sources():
    folder = os.path.dirname(os.__file__)
    for name in NAMES:
        path = os.path.join(folder, name + ".py")
        with open(path, encoding="utf-8") as file:
            yield path, file.read()


def main(loops):
    sources = list(read_sources())
    for _ in range(loops):
        for path, text in sources:
            compile(ast.parse(text, path), path, "exec")


main(int(sys.argv[1]))
