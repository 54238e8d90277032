"""Runs a script in this process on a leash: it ends with the program that started it, and takes what it may at most.

`leash.py PARENT MEMORY SECONDS SCRIPT ARGUMENTS...`: the parent's number, bytes of memory, seconds of the processors'
time. What is no Python script is a program, which takes this process over. The system holds it to them, so that nothing
goes on where the parent is killed and stops no one any more.
"""

import ctypes
import os
import resource
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent, memory, seconds, script, *arguments):
    if sys.platform == "linux":  # elsewhere the time that it has must do
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("the program that started it is no more")
    # Of memory that can be written, not of addresses: Vulkan and TensorFlow reserve gigabytes that they never use.
    _lower(resource.RLIMIT_DATA, int(memory))
    _lower(resource.RLIMIT_CPU, int(seconds))
    if not script.endswith(".py"):
        os.execv(script, [script, *arguments])
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def _lower(kind, most):
    """Lowers a limit; most may be `resource.RLIM_INFINITY`, which is a negative number."""
    soft, hard = resource.getrlimit(kind)
    known = [limit for limit in (soft, hard, most) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(kind, (min(known, default=soft), hard))


if __name__ == "__main__":
    main(*sys.argv[1:])
