"""Watch over plugins while a run trains: their random states, the calls that do not return, and what they leave changed."""

import os
import sys
import time
from contextlib import ExitStack
from typing import Self

from ...plugins import call_marker, guard, plugin_random
from ...plugins.watchdog import Watchdog
from ...storage.run_folder import RunFolder


class PluginWatch:
    """The watch of one training process, open while it runs. Only the main process (rank 0) writes to the folder.

    `may_exit`: end this process if a plugin exceeds the recipe's limit and cannot be interrupted. A program that trains within
    itself is not ended.
    """

    def __init__(self, folder: RunFolder, rank: int, may_exit: bool) -> None:
        self.folder = folder
        self.rank = rank
        self.may_exit = may_exit
        self.step = 0
        self.seed = 0
        self._open = ExitStack()

    def __enter__(self) -> Self:
        call_marker.write_to(self.folder.path, self.rank)
        self._open.enter_context(guard.reporting(lambda text: self._warn("plugin state", text)))
        self._open.enter_context(
            Watchdog(lambda label, text: self._warn("slow plugin", text), self._give_up if self.may_exit else None)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        guard.set_limit(None)
        call_marker.write_to(None)
        if self.rank == 0:
            (self.folder.path / call_marker.FILE).unlink(missing_ok=True)

    def begin(self, seed: int, limit_s: float | None) -> None:
        """Take what the recipe says: the seed, and the limit of a call."""
        self.seed = seed
        guard.set_limit(limit_s)
        self.seed_plugins("before")

    def seed_plugins(self, moment: str | int) -> None:
        """Give plugins the random numbers of this moment of the run, so that a resumed run draws the same."""
        plugin_random.seed(self.seed, moment, self.rank)

    def _warn(self, name: str, text: str) -> None:
        print(f"warning: {text}", file=sys.stderr, flush=True)
        if self.rank == 0:
            line = {"kind": "warning", "step": self.step, "time": time.time(), "name": name, "text": text}
            self.folder.append_metrics(line)

    def _give_up(self, text: str) -> None:
        print(f"error: {text}", file=sys.stderr, flush=True)
        if self.folder.status().get("state") != "failed":
            self.folder.set_status("failed", message=text)
        os._exit(1)
