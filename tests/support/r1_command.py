"""How the tests run the `r1` command: its environment, small settings, and its result."""

from dataclasses import dataclass

QUIET = {
    "OMP_NUM_THREADS": "1",  # one thread adds in one order: runs can be compared number by number
    "HF_HUB_OFFLINE": "1",
    "COLUMNS": "100",
    "NO_COLOR": "1",
}

SMALL = (
    "env.options.train_size=64",
    "trainer.per_device_train_batch_size=8",
    "trainer.save_steps=1",
    "generation.samples=4",
    "generation.max_tokens=16",
    "evaluation.tasks=0",
)


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str
