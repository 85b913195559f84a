"""The sandbox `e2b`: programs run in sandboxes on E2B, or on your own server that speaks its protocol."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import r1sdk

if TYPE_CHECKING:  # imported where a program is run: listing plugins stays quick
    from .fleet import Settings


@dataclass(frozen=True)
class E2BSandbox:
    """Sandboxes on E2B (needs a key in E2B_API_KEY), or on a server of your own: `api_url` and `sandbox_url`, or `debug`.

    A solution is one request that carries inputs only; each case is a process with its own limits. A sandbox runs up to
    `solutions` solutions and is deleted at the end; one that a program disturbs is thrown away. Solutions that share a
    sandbox are one user there: `solutions: 1` gives each its own. Disk is not limited.
    """

    template: str | None = None  # None: E2B's own code interpreter, with Python, JavaScript and Bash
    concurrency: int = 8  # sandboxes at a time, of all processes of a run together
    solutions: int = 100  # that run in one sandbox before it is thrown away
    lifetime_s: int = 1800  # after which E2B ends a sandbox, whatever happens here
    patience_s: float = 60.0  # how long to wait for rate limits and for a server that does not answer
    internet: bool = False  # let programs reach it
    api_url: str | None = None
    sandbox_url: str | None = None
    debug: bool = False  # a server on this machine at port 49999, without keys

    def __post_init__(self) -> None:
        for name, least in (("concurrency", 1), ("solutions", 1), ("lifetime_s", 120), ("patience_s", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    async def run(
        self,
        code: str,
        stdins: Sequence[str],
        *,
        limits: r1sdk.ExecutionLimits = r1sdk.ExecutionLimits(),
        language: str = "python",
    ) -> Sequence[r1sdk.Execution]:
        """Run `code` on each of `stdins`, in one request. Raises: Unavailable, R1Error."""
        import asyncio

        from .cell import make_cell
        from .e2b_loop import submit

        _check_language(language)
        return await asyncio.wrap_future(submit(self._settings(), make_cell(code, stdins, limits, language)))

    def check(self, language: str = "python") -> Sequence[r1sdk.Guarantee]:
        """Run a program there. Raises: R1Error that names the missing part: the package, the key, the server."""
        _check_language(language)
        return _check(self._settings(), language)

    def _settings(self) -> "Settings":
        """Return the settings of its sandboxes. Raises: R1Error where the package or the key is missing."""
        from .fleet import Settings

        try:
            import e2b_code_interpreter
        except ImportError:
            raise r1sdk.Unavailable("sandbox 'e2b' needs: pip install 'r1sdk[e2b]'") from None
        del e2b_code_interpreter
        if not self.debug and not os.environ.get("E2B_API_KEY"):
            raise r1sdk.Unavailable(
                "sandbox 'e2b' needs a key in the environment variable E2B_API_KEY: https://e2b.dev/dashboard\n"
                "  a server of your own: options api_url and sandbox_url, with its key, or debug"
            )
        given = {"api_url": self.api_url, "sandbox_url": self.sandbox_url, "debug": self.debug}
        return Settings(
            template=self.template,
            concurrency=self._share(),
            solutions=self.solutions,
            lifetime_s=self.lifetime_s,
            patience_s=self.patience_s,
            internet=self.internet,
            connection=tuple((name, value) for name, value in given.items() if value),
        )

    def _share(self) -> int:
        """Return the share of this process in `concurrency`. Raises: R1Error where that is nothing."""
        ranks, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        if self.concurrency < ranks:
            raise r1sdk.R1Error(
                f"sandbox 'e2b': concurrency {self.concurrency} is less than the {ranks} processes of the run, "
                "each of which needs one"
            )
        return self.concurrency * (rank + 1) // ranks - self.concurrency * rank // ranks


def _check_language(language: str) -> None:
    from .case_runner import LANGUAGES

    if language not in LANGUAGES:
        raise r1sdk.R1Error(f"sandbox 'e2b' runs {', '.join(LANGUAGES)}, not {language!r}")


_TRIED = {
    "python": "print(input())",
    "javascript": "process.stdout.write(require('fs').readFileSync(0))",
    "bash": "cat",
    "cpp": "#include <iostream>\nint main() { std::string s; std::cin >> s; std::cout << s << '\\n'; }",
    "rust": 'fn main() { let mut s = String::new(); std::io::stdin().read_line(&mut s).unwrap(); print!("{}", s); }',
}


@cache
def _check(settings: "Settings", language: str) -> tuple[r1sdk.Guarantee, ...]:
    from .cell import make_cell
    from .e2b_loop import submit

    limits = r1sdk.ExecutionLimits(timeout_s=20.0)
    try:
        (done,) = submit(settings, make_cell(_TRIED[language], ["answered\n"], limits, language), 5.0).result()
    except r1sdk.Unavailable as error:
        raise r1sdk.Unavailable(f"sandbox 'e2b' is not available: {error}") from None
    if done.stdout != "answered\n":
        raise r1sdk.R1Error(
            f"sandbox 'e2b' does not run {language}: {done.status} {done.stdout!r:.100} {done.stderr[-200:]}"
        )
    where = dict(settings.connection).get("api_url") or ("this machine" if dict(settings.connection) else "E2B")
    shared = (
        "each solution in its own" if settings.solutions == 1 else f"up to {settings.solutions} solutions share one"
    )
    return (
        r1sdk.Guarantee(
            "jail", True, f"sandboxes at {where}, {settings.concurrency} at a time in this process; {shared}"
        ),
        r1sdk.Guarantee("expected outputs", True, "never sent: outputs are compared here"),
    )
