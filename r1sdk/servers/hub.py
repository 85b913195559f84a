"""Is the model hub there? Asked once and in bounded time; where it is away, this process works from the cache alone.

The hub's own libraries ask for each file by itself, and where a server hangs they try each for minutes: a run that waits for one
that is away would say so after half an hour.
"""

import os
import sys
import threading
import time
from functools import cache
from typing import Literal

TRIES, SECONDS, PAUSE_S = 3, 10.0, 1.0  # tries, what one may take, and the pause between two


@cache
def reach_hub(name: str, kind: Literal["model", "dataset"] = "model") -> str | None:
    """None where the hub answers for `name` (what it answers is for its library to say), or this process is offline anyway.

    Else why it does not, after half a minute at most; from then on the hub's libraries read their cache in this process, and those
    that it starts.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return None
    url = f"{constants.ENDPOINT}/api/{kind}s/{name}"
    trouble: str | None = None
    for number in range(TRIES):
        if number:
            time.sleep(PAUSE_S * number)
        trouble = _ask(url)
        if trouble is None:
            return None
    _work_offline()
    away = f"the hub does not answer ({constants.ENDPOINT}: {trouble})"
    print(f"warning: {away}; what its cache has of {name} is used", file=sys.stderr, flush=True)
    return away


def _ask(url: str) -> str | None:
    """None for an answer, else what went wrong. A thread, since no limit of the client's bounds a server that sends slowly."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers

    outcome: list[str | None] = []

    def ask() -> None:
        try:
            status = get_session().get(url, headers=build_hf_headers(), timeout=SECONDS).status_code
            outcome.append(f"status {status}" if status >= 500 else None)
        except Exception as error:  # noqa: BLE001 - whatever the network, a proxy or the client made of it
            outcome.append(f"{type(error).__name__}: {error}".rstrip(": "))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return outcome[0] if outcome else f"nothing within {SECONDS:g} s"


def _work_offline() -> None:
    from huggingface_hub import constants

    os.environ["HF_HUB_OFFLINE"] = "1"
    constants.HF_HUB_OFFLINE = True
    if "datasets" in sys.modules:  # it has read the constant
        sys.modules["datasets"].config.HF_HUB_OFFLINE = True
