"""killed.py PAGE THREADS SIZE: allocates until it is killed, and says in the shared file PAGE how far it is.

PAGE holds 64-bit words: the process id, then how many allocations have returned, of the only thread
when THREADS is 0, a Python one; else of each of as many threads in C. Thread n allocates blocks of SIZE + n
bytes, the Python one bytes objects of SIZE bytes. kills.py reads the page.
"""

import ctypes
import mmap
import os
import sys


def in_python(progress, size):
    count = 0
    while True:
        block = bytes(size)
        count += 1
        progress[1] = count


def in_c(page, threads, size):
    native = ctypes.CDLL(os.environ["NATIVE"])
    native.allocate_until_killed.argtypes = [ctypes.c_size_t, ctypes.c_uint, ctypes.c_void_p]
    first = ctypes.addressof(ctypes.c_char.from_buffer(page)) + 8
    native.allocate_until_killed(size, threads, first)


def main():
    with open(sys.argv[1], "r+b") as file:
        page = mmap.mmap(file.fileno(), 4096)
    threads, size = map(int, sys.argv[2:])
    progress = memoryview(page).cast("Q")
    progress[0] = os.getpid()
    if threads:
        in_c(page, threads, size)
    in_python(progress, size)


if __name__ == "__main__":
    main()
