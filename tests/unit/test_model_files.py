"""The files of a model folder are checked by their headers: each kind of damage is one sentence that names its file."""

import json
import shutil
import struct

import pytest

from r1sdk import R1Error
from r1sdk.planning.model_files import check_adapter, check_files, read_header, stored_shapes
from r1sdk.planning.model_source import resolve_model
from r1sdk.plugins.loading import load_plugins

TINY = load_plugins().get("model", "tiny").target


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(TINY, tmp_path / "model")
    return tmp_path / "model"


def write_tensors(file, shapes):
    """A safetensors file of zeros in float32."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))


def set_config(folder, **changes):
    file = folder / "config.json"
    config = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def fault(folder):
    with pytest.raises(R1Error) as caught:
        check_files("mine", folder)
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def test_a_whole_model_has_no_fault(folder):
    check_files("mine", folder)
    assert stored_shapes(folder)["model.embed_tokens.weight"] == (640, 128)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 4530640\n", "git lfs pull"),
        (b"\xff" * 64, "no safetensors header"),
        (struct.pack("<Q", 12) + b"{not json..}", "cannot be read"),
        (struct.pack("<Q", 2) + b"[]", "cannot be read"),
    ],
)
def test_a_damaged_weight_file_is_named_with_what_to_do(folder, content, said):
    (folder / "model.safetensors").write_bytes(content)
    text = fault(folder)
    assert "model.safetensors" in text and said in text


@pytest.mark.parametrize("lost", [1, 100_000, 4_500_000])
def test_truncated_weights_are_found_without_reading_them(folder, lost):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-lost])
    assert "model.safetensors is damaged" in fault(folder)


def test_bytes_behind_the_last_tensor_are_damage_too(folder):
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"more")
    assert "is damaged" in fault(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "version https://git-lfs.github.com/spec/v1\noid x\n"])
def test_a_damaged_json_file_is_named(folder, name, content):
    (folder / name).write_text(content)
    assert name in fault(folder)


def test_an_empty_tokenizer_is_none(folder):
    (folder / "tokenizer.json").write_text("{}")
    assert "holds no tokenizer" in fault(folder)


def test_a_folder_without_weights_says_what_it_has_instead(folder):
    (folder / "model.safetensors").rename(folder / "model.gguf")
    text = fault(folder)
    assert "has no weights (model.safetensors)" in text and "model.gguf" in text


def test_weights_of_torch_are_weights(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"PK")
    check_files("mine", folder)


def sharded(folder):
    """The model in two shards of zeros, with their index."""
    shapes = dict(read_header(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    names = sorted(shapes)
    places = {}
    for number, part in enumerate((names[:20], names[20:]), 1):
        file = folder / f"model-0000{number}-of-00002.safetensors"
        write_tensors(file, {name: shapes[name] for name in part})
        places |= dict.fromkeys(part, file.name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return places


def test_shards_are_read_by_their_index(folder):
    sharded(folder)
    check_files("mine", folder)
    assert len(stored_shapes(folder)) == 38


def test_a_missing_shard_is_named(folder):
    sharded(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors" in fault(folder)


def test_a_tensor_that_the_index_promises_and_no_shard_has_is_named(folder):
    places = sharded(folder)
    places["model.extra.weight"] = "model-00001-of-00002.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert "model.extra.weight" in fault(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_hidden_layers": 6}, "no layer 4, 5"),
        ({"num_hidden_layers": 2}, "config.json says 2 layers, and the weights have 4"),
        ({"vocab_size": 1000}, "[640, 128], and config.json says [1000, 128]"),
        ({"vocab_size": 600}, "config.json says [600, 128]"),
        ({"hidden_size": 64}, "config.json says [640, 64]"),
        ({"tie_word_embeddings": False}, "no lm_head.weight"),
    ],
)
def test_a_config_of_another_model_is_contradicted_by_the_shapes(folder, changes, said):
    set_config(folder, **changes)
    assert said in fault(folder)


@pytest.mark.parametrize("changes", [{"tie_word_embeddings": None}, {"quantization_config": {"quant_method": "x"}}])
def test_what_the_headers_cannot_decide_is_left_to_the_loading(folder, changes):
    set_config(folder, **changes)
    check_files("mine", folder)


@pytest.mark.parametrize("lost", ["layers.1.mlp.down_proj", "layers.0.input_layernorm", "layers.3.self_attn.q_proj"])
def test_a_tensor_that_one_layer_lacks_is_named(folder, lost):
    shapes = dict(read_header(folder / "model.safetensors"))
    write_tensors(folder / "model.safetensors", {name: shape for name, shape in shapes.items() if lost not in name})
    assert lost in fault(folder)


def test_layers_of_several_kinds_are_no_fault(folder):
    set_config(folder, model_type="jamba")
    shapes = {name: shape for name, shape in read_header(folder / "model.safetensors").items() if "1.mlp" not in name}
    write_tensors(folder / "model.safetensors", {**shapes, "v_head.summary.weight": (1, 128)})
    check_files("mine", folder)


def test_a_value_head_is_no_fault(folder):
    shapes = dict(read_header(folder / "model.safetensors"))
    write_tensors(folder / "model.safetensors", {**shapes, "v_head.summary.weight": (1, 128)})
    check_files("mine", folder)


def test_a_damaged_model_is_refused_where_it_is_looked_up_but_its_tokenizer_can_be_read(folder):
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(R1Error, match="is empty"):
        resolve_model(load_plugins(), str(folder))
    assert resolve_model(load_plugins(), str(folder), loads=False).folder == folder


def test_an_adapter_is_checked_with_its_base(folder, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(folder)}))
    with pytest.raises(R1Error, match=r"no weights \(adapter_model.safetensors\)"):
        resolve_model(load_plugins(), str(adapter))
    write_tensors(adapter / "adapter_model.safetensors", {"lora_A": (2, 2)})
    check_adapter("mine", adapter)
    assert resolve_model(load_plugins(), str(adapter)).base.folder == folder
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(R1Error, match="its base cannot be used.*is empty"):
        resolve_model(load_plugins(), str(adapter))


def test_the_tokenizer_of_the_embedded_model_has_its_length():
    config, tokenizer = (json.loads((TINY / name).read_text()) for name in ("config.json", "tokenizer_config.json"))
    assert tokenizer["model_max_length"] == config["max_position_embeddings"]
