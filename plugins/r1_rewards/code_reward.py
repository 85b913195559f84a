"""The rewards `code` and `binary_code`: the reply's program, run on the tests of its task in a sandbox."""

from dataclasses import dataclass

import r1sdk
from r1_verifiers import CodeVerifier, Imports, Scoring


@dataclass(frozen=True)
class Code:
    """The share of the task's tests that the program in the reply passes, 0.0 to 1.0; `all` or `weighted`: see `scoring`.

    For tasks that carry tests in their `info`, in any of the shapes that the verifier `code` reads; in the environment `code`, the
    reward `accuracy` is the same without running them twice. The program is the last block of the task's language in the answer
    that is one, see `r1_verifiers.code.code_block`; a reply without one is 0.0. What is printed is compared word by word outside of
    the sandbox, which never sees what is expected. Where the sandbox does not answer the reward is None.

    After Open-R1's `code_reward`, in which a missing line or an extra one passed, and a sandbox that failed was 0.0.
    """

    scoring: Scoring = "fraction"  # all: 1.0 or 0.0; weighted: by weights, none begun after the first that fails
    exact: bool = False  # the same text but for a last newline, instead of the same words
    timeout_s: float = 5.0  # of a case, where the task does not say
    memory_bytes: int = 512 << 20
    imports: Imports = (
        "auto"  # the usual ones before a program: where the benchmark's own grader has them; always; never
    )
    budget_s: float | None = None  # that failed tests of one reply may take together; None: 12 times timeout_s
    sandbox: r1sdk.Sandbox | None = r1sdk.sandbox_option()

    def __post_init__(self) -> None:
        r1sdk.ExecutionLimits(timeout_s=self.timeout_s, memory_bytes=self.memory_bytes)

    async def __call__(self, rollout: r1sdk.Rollout) -> float | None:
        if self.sandbox is None:
            raise r1sdk.R1Error("reward 'code' needs a sandbox: Code(sandbox=...)")
        verifier = CodeVerifier(
            scoring=self.scoring,
            exact=self.exact,
            timeout_s=self.timeout_s,
            memory_bytes=self.memory_bytes,
            imports=self.imports,
            budget_s=self.budget_s,
            sandbox=self.sandbox,
        )
        verdict = await verifier.verify(verifier.read_gold(rollout.task), r1sdk.Submission(rollout))
        return verdict.value


@dataclass(frozen=True)
class BinaryCode(Code):
    """1.0 if the program in the reply passes every test of its task, else 0.0: `code` with `scoring: all`."""

    scoring: Scoring = "all"
