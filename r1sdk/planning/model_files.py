"""Check the files of a model folder without loading them: whole files, all shards, and the shapes that config.json says.

Only what is certain is a fault here. Loading the model compares every tensor with the model's class (`check_loaded`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import R1Error
from ..rollout.loaded_weights import FIT_AGAIN, listed

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
ADAPTER = "adapter_model.safetensors"
Shapes = Mapping[str, tuple[int, ...]]  # of tensors, by name

_POINTER = b"version https://git-lfs.github.com/"
_AGAIN = "download or copy the file again"
_LARGEST_HEADER = 100 << 20  # bytes; the limit of the library safetensors
_STACK = r"^(?:model\.|transformer\.|gpt_neox\.|model\.language_model\.|language_model\.model\.)?"
_LAYER = re.compile(_STACK + r"(?:layers|h)\.(\d+)\.(.+)$")
_EMBEDDING = re.compile(_STACK + r"(?:embed_tokens|wte|embed_in)\.weight$")
# Models whose layers all have the same tensors, and whose head is lm_head unless it is tied to the embeddings.
_PLAIN = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "olmo2", "smollm3", "granite")


def check_files(name: str, folder: Path) -> None:
    """Raises: R1Error that names each damaged or missing file of the model, and the tensors that config.json contradicts."""
    faults = list(_faults(folder)) if folder.is_dir() else [f"there is no folder {folder}"]
    if faults:
        raise R1Error(f"model {name!r} cannot be used: " + "\n  ".join(faults))


def check_adapter(name: str, folder: Path) -> None:
    """Raises: R1Error where the weights of an adapter of peft's are missing or damaged."""
    faults = list(_damaged_files(folder))
    if not faults and (file := folder / ADAPTER).is_file():
        try:
            read_header(file)
        except R1Error as error:
            faults = [str(error)]
    elif not faults and not (folder / "adapter_model.bin").is_file():
        faults = [f"{folder} has no weights ({ADAPTER}); copy or save the adapter again"]
    if faults:
        raise R1Error(f"adapter {name!r} cannot be used: " + "\n  ".join(faults))


def stored_shapes(folder: Path) -> Shapes:
    """Return the shape of each tensor in the folder's safetensors, by their headers. Raises: R1Error for a damaged file."""
    return {name: shape for file in tensor_files(folder) for name, shape in read_header(file).items()}


def read_header(file: Path) -> Shapes:
    """Return the shapes of a safetensors file. Raises: R1Error where the file is not whole."""
    size = file.stat().st_size
    with file.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if not 0 < length <= min(_LARGEST_HEADER, size - 8):
            raise R1Error(f"{file} is damaged: it has no safetensors header; {_AGAIN}")
        try:
            header = json.loads(handle.read(length))
            tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
            end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
            shapes = {name: tuple(map(int, tensor["shape"])) for name, tensor in tensors.items()}
        except (ValueError, AttributeError, LookupError, TypeError) as error:
            raise R1Error(f"{file} is damaged: its safetensors header cannot be read ({error}); {_AGAIN}") from None
    if size != 8 + length + end:
        raise R1Error(f"{file} is damaged: it has {size} bytes, and its header speaks of {8 + length + end}; {_AGAIN}")
    return shapes


def tensor_files(folder: Path) -> list[Path]:
    """Return the safetensors files that transformers reads. Raises: R1Error where the index names a file that is missing."""
    if (single := folder / WEIGHTS[0]).is_file():
        return [single]
    if not (index := folder / WEIGHTS[1]).is_file():
        return []
    try:
        places = _read_object(index)["weight_map"]
        names = sorted(set(map(str, places.values())))
    except (LookupError, AttributeError) as error:
        raise R1Error(f"{index} is no index of weights (no {error}); {_AGAIN}") from None
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise R1Error(f"{index} names files that are missing: {listed(missing)}; download them")
    return [folder / name for name in names]


def _faults(folder: Path) -> Iterator[str]:
    damaged = list(_damaged_files(folder))
    yield from damaged
    if not any((folder / name).is_file() for name in WEIGHTS) and "transformers_weights" not in _config(folder):
        there = [path.name for path in folder.iterdir() if path.suffix in (".gguf", ".safetensors", ".bin", ".pt")]
        beside = f"; {listed(there)} cannot be loaded in its place" if there else ""
        yield f"{folder} has no weights (model.safetensors){beside}; download the model again"
    elif not damaged:
        try:
            shapes = stored_shapes(folder)
            _check_index(folder, shapes)
        except R1Error as error:
            yield str(error)
        else:
            yield from (f"{fault}; {FIT_AGAIN}" for fault in _config_faults(_config(folder), shapes))


def _damaged_files(folder: Path) -> Iterator[str]:
    """Name the files that are empty, that only point to another place, or that should be a JSON object and are none."""
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.suffix not in (".json", ".safetensors", ".bin", ".model"):
            continue
        with file.open("rb") as handle:
            start = handle.read(len(_POINTER))
        if not start:
            yield f"{file} is empty; {_AGAIN}"
        elif start == _POINTER:
            yield f"{file} is a pointer of Git LFS, not the file itself: run git lfs pull in that folder, or download it"
        elif file.name in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
            try:
                content = _read_object(file)
            except R1Error as error:
                yield str(error)
                continue
            if file.name == "tokenizer.json" and not isinstance(content.get("model"), dict):
                yield f"{file} holds no tokenizer (it has no 'model'); {_AGAIN}"


def _read_object(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise R1Error(f"{file} is damaged: it is not JSON ({error}); {_AGAIN}") from None
    if not isinstance(content, dict):
        raise R1Error(f"{file} is damaged: it must be a JSON object; {_AGAIN}")
    return content


def _config(folder: Path) -> dict[str, Any]:
    try:
        return _read_object(folder / "config.json")
    except (OSError, R1Error):
        return {}


def _check_index(folder: Path, shapes: Shapes) -> None:
    """Raises: R1Error where the index of the shards promises a tensor that no shard has."""
    if (folder / WEIGHTS[0]).is_file() or not (index := folder / WEIGHTS[1]).is_file():
        return
    if missing := set(_read_object(index)["weight_map"]) - set(shapes):
        raise R1Error(f"{index} names tensors that the files do not have: {listed(missing)}; download the model again")


def _config_faults(config: Mapping[str, Any], shapes: Shapes) -> Iterator[str]:
    """Name the tensors that must be there by config.json and are not, or that have another shape."""
    inner = config.get("text_config")
    text = inner if isinstance(inner, dict) else config
    count, embedding = text.get("num_hidden_layers"), (text.get("vocab_size"), text.get("hidden_size"))
    if "quantization_config" in config or not isinstance(count, int):
        return  # packed tensors have other names and shapes
    plain = config.get("model_type") in _PLAIN
    layers: dict[int, set[str]] = {}
    for name, shape in shapes.items():
        if match := _LAYER.match(name):
            layers.setdefault(int(match[1]), set()).add(match[2])
        elif _EMBEDDING.match(name) and None not in embedding and shape != embedding:
            yield f"tensor {name} is {list(shape)}, and config.json says {list(embedding)}"
    if not layers:
        return
    if absent := set(range(count)) - set(layers):
        yield f"config.json says {count} layers, and the weights have no layer {listed(map(str, absent))}"
    elif plain and (extra := [layer for layer in layers if layer >= count]):
        yield f"config.json says {count} layers, and the weights have {count + len(extra)}"
    if plain:
        yield from _uneven_layers(layers)
        if config.get("tie_word_embeddings") is False and not any(name.endswith("lm_head.weight") for name in shapes):
            yield "the weights have no lm_head.weight, and config.json says that it is not tied (tie_word_embeddings)"


def _uneven_layers(layers: Mapping[int, set[str]]) -> Iterator[str]:
    usual = {
        name
        for name in set().union(*layers.values())
        if sum(name in own for own in layers.values()) * 2 >= len(layers) and "rotary_emb" not in name
    }
    missing = [f"layers.{layer}.{name}" for layer, own in layers.items() for name in usual - own]
    if missing:
        yield f"tensors are missing from the weights: {listed(missing)}"
