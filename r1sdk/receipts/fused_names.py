"""Map the fused and sharded tensors of a sampler to the trainer's: which rows and columns of which tensor each part holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

READ_AT_ONCE = 512  # columns read from a repacked tensor at each sync


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a served tensor: `rows` and `columns` of the trainer's tensor `name`."""

    name: str  # as in the trainer, e.g. model.layers.0.self_attn.q_proj.weight
    at: int  # first row in the served tensor
    rows: tuple[int, int]  # from, to: in the trainer's tensor
    columns: tuple[int, int] | None = None  # None: all


def pieces(
    module: str,
    parameter: str,
    sizes: Sequence[int],
    packed: Mapping[str, Sequence[str]],
    rank: int = 0,
    ranks: int = 1,
    replicas: Sequence[int] | None = None,
) -> Iterator[Piece]:
    """Yield the parts of a tensor that is cut by rows, in the order in which it holds them.

    `module`: its name, e.g. model.layers.0.self_attn.qkv_proj. `sizes`: rows of each fused tensor over all `ranks`, copies
    included. `packed`: a fused module's last name -> the trainer's names. `replicas`: how many ranks share a copy of each.
    Raises: ValueError if the numbers do not fit.
    """
    parent, _, leaf = module.rpartition(".")
    names = list(packed.get(leaf, [leaf]))
    if len(names) == 1 and ranks == 1:  # fused in the trainer too
        sizes, replicas = [sum(sizes)], None
    if len(names) != len(sizes):
        raise ValueError(f"{module} holds {len(sizes)} tensors, and {len(names)} names are known")
    at = 0
    for name, size, copies in zip(names, sizes, replicas or [1] * len(sizes), strict=True):
        if size % ranks:
            raise ValueError(f"{module}: {size} rows cannot be shared by {ranks} ranks")
        here = size // ranks
        start = rank // copies * here
        yield Piece(".".join(part for part in (parent, name, parameter) if part), at, (start, start + here))
        at += here


def columns_read(width: int, number: int, most: int = READ_AT_ONCE) -> tuple[int, int]:
    """Return the columns that the `number`th sync reads of a repacked tensor, so that ceil(width / most) syncs read all."""
    blocks = -(-width // most)
    start = number % blocks * most
    return start, min(width, start + most)
