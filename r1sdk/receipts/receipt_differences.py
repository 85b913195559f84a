"""Receipts as records, and their comparison with the trainer's tensors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import R1Error

SHOWN = 3  # tensors named in a message
Part = tuple[str, tuple[int, int], tuple[int, int]]
"""A part of a tensor of the trainer: its name, rows and columns."""


class StaleSampler(R1Error):
    """The sampler does not serve the trainer's weights."""


@dataclass(frozen=True, slots=True)
class TensorReceipt:
    """A worker's record of its part of one of the trainer's tensors."""

    name: str  # as in the trainer
    rows: tuple[int, int]  # from, to
    columns: tuple[int, int]
    dtype: str  # e.g. bfloat16
    digest: str = ""  # see `tensor_digest`; empty: not read
    norm: float = 0.0

    @property
    def part(self) -> Part:
        """The part of the trainer's tensor."""
        return self.name, self.rows, self.columns


@dataclass(frozen=True, slots=True)
class Receipt:
    """The record of all weights that one worker serves."""

    tensors: Sequence[TensorReceipt]
    unread: Mapping[str, str] = field(default_factory=dict)  # the sampler's names of those that cannot be read -> why

    @classmethod
    def parse(cls, data: Any) -> "Receipt":
        """Read the JSON of `ReceiptWorker.r1_receipt`. Raises: ValueError."""
        try:
            tensors = [
                TensorReceipt(
                    line["name"],
                    (int(line["rows"][0]), int(line["rows"][1])),
                    (int(line["columns"][0]), int(line["columns"][1])),
                    line["dtype"],
                    line.get("digest", ""),
                    float(line.get("norm", 0.0)),
                )
                for line in data["tensors"]
            ]
            return cls(tensors, dict(data["unread"]))
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ValueError(f"no receipt: {type(error).__name__}: {error}") from None


@dataclass(frozen=True, slots=True)
class Expected:
    """The trainer's digests of the parts that the workers serve, at one sync."""

    digests: Mapping[Part, tuple[str, float]]  # digest and norm
    dtypes: Mapping[Part, str] = field(default_factory=dict)  # those that the digests are of


def differences(
    receipt: Receipt, expected: Expected, before: Expected | None = None, first: Expected | None = None
) -> list[str]:
    """Return a sentence for each tensor whose served part differs from the trainer's; empty if all are equal.

    `before` and `first`: of the sync before and of the first one, to say what a stale sampler holds.
    """
    faults = []
    owners: dict[str, list[str]] = {}
    for part, (value, _) in expected.digests.items():
        owners.setdefault(value, []).append(part[0])
    for served in receipt.tensors:
        wanted = expected.digests.get(served.part)
        if wanted is None:  # its name is unknown here: `missing` tells what is not compared
            continue
        if (dtype := expected.dtypes.get(served.part)) is not None and dtype != served.dtype:
            faults.append(f"{served.name}: it is served in {served.dtype}, not in {dtype} as at the start")
        elif served.digest != wanted[0]:
            faults.append(f"{served.name}: {_held(served, wanted, owners, before, first)}")
    return faults


def _held(
    served: TensorReceipt,
    wanted: tuple[str, float],
    owners: Mapping[str, Sequence[str]],
    before: Expected | None,
    first: Expected | None,
) -> str:
    for past, when in ((before, "the sync before"), (first, "the first sync")):
        if past is not None and past.digests.get(served.part, ("", 0.0))[0] == served.digest:
            return f"it still holds the weights of {when}"
    if others := [name for name in owners.get(served.digest, ()) if name != served.name]:
        return f"it holds {others[0]}"
    return f"norm {served.norm:.9g}, in the trainer {wanted[1]:.9g}"


def missing(receipts: Iterable[Receipt], names: Iterable[str], tied: Mapping[str, str]) -> list[str]:
    """Return the trainer's tensors that no worker serves in a readable form. `tied`: a name -> the tensor it shares."""
    served = {tensor.name for receipt in receipts for tensor in receipt.tensors}
    return sorted(name for name in names if name not in served and tied.get(name, name) not in served)


def explain(faults: Sequence[str], where: str, number: int) -> str:
    """Return the message for a sampler that serves other weights."""
    shown = "\n".join(f"  {fault}" for fault in faults[:SHOWN])
    more = f"\n  and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return (
        f"the sampler does not serve the trainer's weights: after weight sync {number}, {len(faults)} "
        f"{'part differs' if len(faults) == 1 else 'parts differ'} in {where}\n{shown}{more}\n"
        "  No token of it was learnt from. Check that the server is no other run's and that vllm and trl have the tested "
        "versions (r1 doctor); a run with generation.backend=transformers needs no sync.\n"
        "  --resume continues from the last checkpoint; limits.receipts=off trains without this check"
    )
