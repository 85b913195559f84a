"""Check once, in bounded time, that the model hub answers; if it does not, this process works from the cache alone.

The hub's own libraries ask for each file separately and retry for minutes if a server hangs, so a run without a hub would
report this only after half an hour.
"""

import os
import sys
import threading
import time
from functools import cache
from typing import Literal

TRIES, SECONDS, PAUSE_S = 3, 10.0, 1.0  # number of tries, time limit of one, pause between two


@cache
def reach_hub(name: str, kind: Literal["model", "dataset"] = "model") -> str | None:
    """Return None if the hub answers for `name` with any answer, or if this process is offline by choice.

    Otherwise return the reason, after at most half a minute. From then on the hub's libraries read only their cache, in this
    process and in those it starts.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return None
    url = f"{constants.ENDPOINT}/api/{kind}s/{name}"
    problem: str | None = None
    for number in range(TRIES):
        if number:
            time.sleep(PAUSE_S * number)
        problem = _ask(url)
        if problem is None:
            return None
    _work_offline()
    away = f"the hub does not answer ({constants.ENDPOINT}: {problem})"
    print(f"warning: {away}; using the cached files of {name}", file=sys.stderr, flush=True)
    return away


def _ask(url: str) -> str | None:
    """Return None for an answer, otherwise the problem. Uses a thread, since no client limit bounds a server that sends slowly."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers

    outcome: list[str | None] = []

    def ask() -> None:
        try:
            status = get_session().get(url, headers=build_hf_headers(), timeout=SECONDS).status_code
            outcome.append(f"status {status}" if status >= 500 else None)
        except Exception as error:  # noqa: BLE001 - the network, a proxy or the client may raise anything
            outcome.append(f"{type(error).__name__}: {error}".rstrip(": "))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return outcome[0] if outcome else f"nothing within {SECONDS:g} s"


def _work_offline() -> None:
    from huggingface_hub import constants

    os.environ["HF_HUB_OFFLINE"] = "1"
    constants.HF_HUB_OFFLINE = True
    if "datasets" in sys.modules:  # it has already read the constant
        sys.modules["datasets"].config.HF_HUB_OFFLINE = True
