"""The digest of a tensor's bits, by position: equal tensors have equal digests, on every device and however they are cut.

    digest(W) = sum over i, j of row(i) * column(j) * bits(W[i, j])   modulo 2**64

`row` and `column` are fixed odd random numbers, so a changed bit, a moved row and an exchanged tensor change the digest. A part of
a tensor is digested by its coordinates in the whole. It is no cryptographic hash: it finds mistakes, not forgeries.
"""

from functools import lru_cache
from typing import NamedTuple

import torch

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_AT_ONCE = 1 << 22  # elements widened to 64 bits at a time
_ROWS, _COLUMNS = 1, 2  # seeds


class Digest(NamedTuple):
    """The digest of a tensor or of a part of one."""

    value: str  # 16 hexadecimal digits
    norm: float  # Euclidean


def digest(tensor: torch.Tensor, rows: int = 0, columns: int = 0) -> Digest:
    """Return the digest of a tensor with one dimension or more; all but the last are its rows. NaN is compared by its bits.

    `rows` and `columns`: where the tensor begins in the whole that it is a part of.
    """
    flat = tensor.detach()
    flat = (flat.reshape(-1, flat.shape[-1]) if flat.ndim > 1 else flat.reshape(1, -1)).contiguous()
    height, width = flat.shape
    row = _factors(_ROWS, rows + height, flat.device)[rows:]
    column = _factors(_COLUMNS, columns + width, flat.device)[columns:]
    bits = flat.view(_BITS[flat.element_size()])
    total = torch.zeros((), dtype=torch.int64, device=flat.device)
    step = max(1, _AT_ONCE // max(1, width))
    for start in range(0, height, step):
        wide = bits[start : start + step].to(torch.int64) * column
        total += (wide.sum(1) * row[start : start + step]).sum()
    wider = torch.promote_types(flat.dtype, torch.float32)
    norm = float(torch.linalg.vector_norm(flat, dtype=wider)) if flat.is_floating_point() else 0.0
    return Digest(f"{int(total) % 2**64:016x}", norm)


@lru_cache(maxsize=64)
def _factors(seed: int, number: int, device: torch.device) -> torch.Tensor:
    """Return odd random numbers; fewer of one seed are the beginning of more."""
    # A hash of the position instead of a generator, whose first numbers depend on how many are drawn.
    at = torch.arange(1, number + 1, dtype=torch.int64) + (seed << 40)
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):  # SplitMix64
        at = (at ^ ((at >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return ((at ^ ((at >> 31) & ((1 << 33) - 1))) | 1).to(device)
