"""Read the weights that a vLLM worker serves, as its kernels use them. Runs in the worker: in this process, or in a server's."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from .fused_names import Piece, columns_read, pieces
from .tensor_digest import digest


class _Served(NamedTuple):
    """A tensor of the worker, with the trainer's tensors that it holds."""

    name: str
    module: Any
    parameter: str
    pieces: list[Piece]
    width: int  # columns here
    first: int  # the first of them in the whole tensor
    packed: bool  # vLLM keeps it in a form that only its kernel can read


class ReceiptWorker:
    """Extension of vLLM's workers: `vllm serve --worker-extension-cls r1sdk.receipts.served.ReceiptWorker`."""

    model_runner: Any

    def r1_receipt(self, number: int | str, read: bool | str = True) -> dict[str, Any]:
        """Return the receipt of this worker as JSON. `number`: of the sync; without `read` there are no digests."""
        return receipt_of(self.model_runner, int(number), read in (True, "True", "true"))


def receipt_of(runner: Any, number: int, read: bool = True) -> dict[str, Any]:
    """Return the tensors that the model of vLLM's model runner holds, by the trainer's names, and those that cannot be read."""
    tensors: list[dict[str, Any]] = []
    unread: dict[str, str] = {}
    with torch.no_grad():
        for served in _served(runner.get_model(), unread):
            local = columns_read(served.width, number) if served.packed else (0, served.width)
            try:
                data = _read(served, local) if read else None
                dtype = str(getattr(served.module, served.parameter).dtype).removeprefix("torch.")
            except Exception as error:  # noqa: BLE001 - a kernel of vLLM may refuse in any way; what was not read is said
                unread[served.name] = f"{type(error).__name__}: {str(error)[:200]}"
                continue
            columns = (served.first + local[0], served.first + local[1])
            for piece in served.pieces:
                height = piece.rows[1] - piece.rows[0]
                line: dict[str, Any] = {
                    "name": piece.name,
                    "rows": list(piece.rows),
                    "columns": list(columns),
                    "dtype": dtype,
                }
                if data is not None:
                    part = data[piece.at : piece.at + height]
                    part = part[:, None] if part.ndim == 1 else part  # the rows of a bias or a norm are its elements
                    found = digest(part, piece.rows[0], columns[0])
                    line |= {"digest": found.value, "norm": found.norm}
                tensors.append(line)
    return {"tensors": tensors, "unread": unread}


def _served(model: Any, unread: dict[str, str]) -> Iterator[_Served]:
    packed_names = dict(getattr(model, "packed_modules_mapping", {}) or {})
    # Tied embeddings are one parameter in two modules, and both are read: a kernel may hold a copy.
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{module_name}.{name}" if module_name else name
            try:
                yield _describe(module_name, module, name, parameter, packed_names)
            except (ValueError, AttributeError, NotImplementedError) as error:
                unread[full] = str(error)[:200]


def _describe(module_name: str, module: Any, name: str, parameter: Any, packed_names: dict[str, Any]) -> _Served:
    """Raises: ValueError, AttributeError, NotImplementedError for a layer whose layout is not known."""
    full = f"{module_name}.{name}"
    rank, ranks = int(getattr(module, "tp_rank", 0)), int(getattr(module, "tp_size", 1))
    if hasattr(module, "org_vocab_size"):  # embeddings and heads, padded
        there = module.shard_indices
        rows = (there.org_vocab_start_index, there.org_vocab_end_index)
        return _Served(full, module, name, [Piece(full, 0, rows)], module.embedding_dim, 0, _is_packed(module, name))
    if hasattr(module, "input_size_per_partition"):
        if "Unquantized" not in type(module.quant_method).__name__:
            raise NotImplementedError(f"quantized by {type(module.quant_method).__name__}")
        here, width = int(module.input_size_per_partition), int(module.input_size)
        by_rows = int(module.output_size_per_partition) != int(module.output_size)
        sizes = list(getattr(module, "output_sizes", None) or [int(module.output_size)])
        copies = [1] * len(sizes)
        if (shared := int(getattr(module, "num_kv_head_replicas", 1))) > 1:
            copies = [1, shared, shared]
        parts = list(pieces(module_name, name, sizes, packed_names, *((rank, ranks) if by_rows else (0, 1)), copies))
        if name != "weight":
            return _Served(full, module, name, parts, 1, 0, False)
        return _Served(full, module, name, parts, here, rank * here if here != width else 0, _is_packed(module, name))
    if parameter.ndim != 1:
        raise NotImplementedError(f"a {type(module).__name__} with {parameter.ndim} dimensions")
    return _Served(full, module, name, [Piece(full, 0, (0, parameter.numel()))], 1, 0, False)


def _is_packed(module: Any, name: str) -> bool:
    return name == "weight" and "cpu_linear" in vars(module) and not _only_looked_up(module)


def _only_looked_up(module: Any) -> bool:
    """True for input embeddings, which no kernel multiplies with."""
    return hasattr(module, "org_vocab_size") and type(module).__name__ == "VocabParallelEmbedding"


def _read(served: _Served, columns: tuple[int, int]) -> torch.Tensor:
    """Return the tensor, or `columns` of one that only its kernel can read: unit vectors times W are exactly W's columns."""
    parameter = getattr(served.module, served.parameter)
    if not served.packed:
        whole: torch.Tensor = parameter.detach()
        return whole
    units = torch.zeros(columns[1] - columns[0], served.width, dtype=parameter.dtype, device=parameter.device)
    units[torch.arange(len(units)), torch.arange(*columns)] = 1
    read: torch.Tensor = served.module.quant_method.apply(served.module, units, None).t()
    return read
