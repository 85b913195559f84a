"""The processes that train a model together: their ranks, and how they agree outside the trainer's own collectives.

They communicate over a separate gloo group. Waiting there blocks no collective of the GPUs, so a verifier may take long in one
process without NCCL's watchdog ending the run. When a process dies, the others get an error at once.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from ..errors import R1Error

T = TypeVar("T")

WAIT = timedelta(hours=6)  # for a process that is alive but does not arrive; a dead one is noticed at once
_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "DistBackendError", "socketProgress")


@dataclass(frozen=True)
class ProcessGroup:
    """This process and its peers. With a single process each method just does the work."""

    rank: int = 0
    world: int = 1
    group: Any = None  # of torch.distributed

    @property
    def main(self) -> bool:
        """True for the main process, which writes the run folder."""
        return self.rank == 0

    @property
    def name(self) -> str:
        return f"process {self.rank} of {self.world}"

    def run_on_main(self, work: Callable[[], T]) -> T:
        """Run `work` on the main process and return its result on all. Raises: R1Error on all if it raised one."""
        if self.group is None:
            return work()
        import torch.distributed as dist

        outcome = _try(work) if self.main else None
        box: list[Any] = [outcome]
        dist.broadcast_object_list(box, src=0, group=self.group)
        return _open(box[0])  # type: ignore[no-any-return]

    def gather_on_main(self, work: Callable[[], T]) -> list[T]:
        """Run `work` in each process. Return the results by rank on the main process, an empty list on the others.

        Raises: R1Error on all if it raised one in any.
        """
        if self.group is None:
            return [work()]
        import torch.distributed as dist

        outcomes: list[Any] | None = [None] * self.world if self.main else None
        dist.gather_object(_try(work), outcomes, dst=0, group=self.group)
        return self.run_on_main(lambda: list(map(_open, outcomes or []))) if self.main else self._receive_outcome()

    def _receive_outcome(self) -> list[Any]:
        self.run_on_main(lambda: None)
        return []

    def all_gather(self, value: T) -> list[T]:
        """Return the values of all processes, by rank, on all of them."""
        if self.group is None:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value, group=self.group)
        return values

    def any(self, claim: bool) -> bool:
        """True on all processes if `claim` is true on at least one."""
        if self.group is None:
            return claim
        import torch
        import torch.distributed as dist

        count = torch.tensor(int(claim))
        dist.all_reduce(count, group=self.group)
        return bool(count)

    def barrier(self) -> None:
        """Wait until all processes have arrived here."""
        if self.group is not None:
            import torch.distributed as dist

            dist.barrier(group=self.group)

    def close(self) -> None:
        if self.group is not None:
            import torch.distributed as dist

            dist.destroy_process_group()


SINGLE_PROCESS = ProcessGroup()


def rank_from_env() -> int:
    """Return the rank of this process before `join`, from the environment."""
    return int(os.environ.get("RANK", "0"))


def join() -> ProcessGroup:
    """Join the processes that accelerate or torchrun started, and wait for all of them."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 and "ACCELERATE_USE_DEEPSPEED" not in os.environ:
        return ProcessGroup()
    import torch
    import torch.distributed as dist
    from accelerate import PartialState

    cpu = not torch.cuda.is_available()
    if cpu:  # accelerate would use "cpu:0", to which torch cannot load the optimizer of a checkpoint
        os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    state = PartialState(cpu=cpu)
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        import deepspeed

        if not deepspeed.comm.is_initialized():  # accelerate only does this for GPUs
            deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)
    return ProcessGroup(state.process_index, state.num_processes, dist.new_group(backend="gloo", timeout=WAIT))


def is_peer_failure(error: BaseException) -> bool:
    """True if `error` only says that another process has ended; that process reports the reason."""
    return isinstance(error, RuntimeError) and any(sign in f"{type(error).__name__}: {error}" for sign in _LOST)


def _try(work: Callable[[], Any]) -> tuple[bool, Any]:
    try:
        return True, work()
    except R1Error as error:
        return False, (type(error), str(error))


def _open(outcome: tuple[bool, Any]) -> Any:
    done, value = outcome
    if done:
        return value
    kind, message = value
    raise _again(kind, message)


def _again(kind: type[R1Error], message: str) -> R1Error:
    error = kind.__new__(kind)  # some constructors take more than the message
    Exception.__init__(error, message)
    return error
