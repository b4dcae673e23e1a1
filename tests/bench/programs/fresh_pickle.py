"""Runs a script that wants to be the first to import pickle, which memray has imported by then."""

import runpy
import sys

sys.modules.pop("pickle", None)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
