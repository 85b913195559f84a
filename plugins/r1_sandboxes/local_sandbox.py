"""The sandbox `local`: programs run on this machine, in a jail."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import r1sdk

if TYPE_CHECKING:  # imported where a program is run: listing plugins stays quick
    from .jail_pool import Pool
    from .start_jail import Mode

MODES: tuple["Mode", ...] = ("bubblewrap", "landlock")


@dataclass(frozen=True)
class LocalSandbox:
    """This machine's own Python in a warm jail: bubblewrap, or else Landlock; seccomp and limits in both.

    A program has the standard library and the modules of `preload`, a small disk that is emptied after it, and nothing else
    of the machine: no other files, network, processes, environment. Modules of `preload` are imported once, before any
    program, and cost it nothing. Other languages run where their toolchain is installed (see `languages`); a compiler runs in
    the jail, too, once for each program.

    Where neither kind of jail works it refuses to run. It does not defend against faults of the kernel, nor against
    programs that measure how busy the machine is. With Landlock, a program can ask whether a path exists.
    """

    mode: Literal["auto", "bubblewrap", "landlock"] = "auto"
    workers: int | None = None  # programs at a time; None: the processors, shared among the processes of a run
    preload: tuple[str, ...] = ()  # installed modules, e.g. [numpy]

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")

    async def run(
        self,
        code: str,
        stdins: Sequence[str],
        *,
        limits: r1sdk.ExecutionLimits = r1sdk.ExecutionLimits(),
        language: str = "python",
    ) -> Sequence[r1sdk.Execution]:
        """Run `code` on each of `stdins`. Raises: Unavailable, R1Error."""
        import asyncio

        return await asyncio.wrap_future(self._pool(language).submit(code, stdins, limits))

    def check(self, language: str = "python") -> Sequence[r1sdk.Guarantee]:
        """Attack a jail from inside, and return the outcome of each attack. Raises: R1Error where one got through."""
        found = _guarantees(self._pool())
        if language != "python":
            found = (*found, *_language_guarantees(self._pool(language)))
        if broken := [f"  {guarantee.name}: {guarantee.how}" for guarantee in found if not guarantee.holds]:
            raise r1sdk.R1Error(
                "\n".join(["sandbox 'local' does not hold on this machine, so it is not used:", *broken])
            )
        return (r1sdk.Guarantee("jail", True, self._pool().description()), *found)

    def languages(self) -> Mapping[str, str]:
        """Return the languages by name, each with its toolchain, or with the reason why it does not run here."""
        import platform

        from .languages import LANGUAGES, find_toolchain

        found = {"python": f"Python {platform.python_version()}"}
        for language in LANGUAGES:
            try:
                found[language] = find_toolchain(language).version
            except r1sdk.R1Error as error:
                found[language] = f"not here: {error}"
        return found

    def _pool(self, language: str = "python") -> "Pool":
        from .jail_pool import Kind, pool_of
        from .languages import find_toolchain

        if language != "python":
            find_toolchain(language)
        workers = self.workers or max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
        mode = _choose(self.mode, self.preload)
        return pool_of(Kind(mode, self.preload if language == "python" else (), workers, language))


@cache
def _choose(mode: str, preload: tuple[str, ...]) -> "Mode":
    """Return the first kind of jail that starts here. Raises: R1Error that says why none does."""
    import platform

    from .jail_client import JailDied
    from .start_jail import start_jail

    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        raise r1sdk.R1Error(
            f"sandbox 'local' needs Linux on x86_64 or aarch64, this is {sys.platform} on {platform.machine()}\n"
            "  use another sandbox, e.g. 'e2b'; 'unsafe' runs programs without any protection"
        )
    reasons = []
    for candidate in MODES if mode == "auto" else (mode,):
        kind: Mode = "bubblewrap" if candidate == "bubblewrap" else "landlock"
        try:
            start_jail(kind, preload).close()
        except JailDied as died:
            reasons.append(f"  {kind}: {died}")
            continue
        return kind
    hint = "  bubblewrap comes with: pip install 'r1sdk[sandbox]'; it needs user namespaces. Landlock needs Linux 5.13."
    raise r1sdk.R1Error("\n".join(["sandbox 'local' does not work on this machine", *reasons, hint]))


@cache
def _guarantees(pool: "Pool") -> tuple[r1sdk.Guarantee, ...]:
    from .probes import probe

    return probe(lambda code, stdin, limits: pool.submit(code, [stdin], limits).result()[0])


@cache
def _language_guarantees(pool: "Pool") -> tuple[r1sdk.Guarantee, ...]:
    from .probes import probe_language

    return probe_language(
        pool.kind.language, lambda code, stdin, limits: pool.submit(code, [stdin], limits).result()[0]
    )
