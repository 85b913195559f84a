"""Run `r1` at a pseudo-terminal that controls it: `python at_terminal.py PROMPT KEY ARGUMENT...`.

Types KEY (a number, the code of one byte) when the last that was printed is PROMPT. Prints what came, then `exit CODE`.
"""

import os
import pty
import select
import signal
import sys
import time


def main() -> None:
    prompt, key, *arguments = sys.argv[1:]
    process, terminal = pty.fork()  # a typed Ctrl-C becomes SIGINT there
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-m", "r1_cli", *arguments])
    said, sent, limit = b"", False, time.monotonic() + 60
    while time.monotonic() < limit:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            said += os.read(terminal, 4096)
        except OSError:  # the far side is closed
            break
        if said.endswith(prompt.encode()) and not sent:
            time.sleep(0.5)  # readline does not notice a signal between the prompt and its wait for a key
            os.write(terminal, bytes([int(key)]))
            sent = True
    else:
        os.kill(process, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    print(said.decode("utf-8", "replace").replace("\r\n", "\n"))
    print(f"exit {code}")


if __name__ == "__main__":
    main()
