"""Runs in the new process: limits itself, then runs the program that it reads from the file descriptor named."""

import json
import os
import resource
import sys
from typing import Any

with os.fdopen(int(sys.argv[1]), "rb") as pipe:
    asked: dict[str, Any] = json.load(pipe)
for what, most in (
    (resource.RLIMIT_CPU, asked["cpu_s"]),
    (resource.RLIMIT_DATA, asked["data_bytes"]),
    (resource.RLIMIT_FSIZE, asked["file_bytes"]),
    (resource.RLIMIT_CORE, 0),
):
    resource.setrlimit(what, (most, most))
sys.argv = ["program"]
exec(compile(asked["code"], "program", "exec", dont_inherit=True), {"__name__": "__main__"})  # noqa: S102 - what it is for
