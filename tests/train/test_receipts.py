"""Weight receipts without vLLM: digests, the names of fused tensors, what a worker reads, and what the comparison says."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from r1sdk.receipts import Receipt, StaleSampler, TensorReceipt, differences, watch_sampler
from r1sdk.receipts.fused_names import Piece, columns_read, pieces
from r1sdk.receipts.receipt_differences import Expected, explain, missing
from r1sdk.receipts.served import ReceiptWorker, receipt_of
from r1sdk.receipts.tensor_digest import digest

PACKED = {"qkv_proj": ["q_proj", "k_proj", "v_proj"], "gate_up_proj": ["gate_proj", "up_proj"]}


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


# Digests


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.int8])
def test_a_digest_depends_on_every_element_and_its_place(dtype):
    tensor = (noise(6, 5) * 50).to(dtype)
    known = digest(tensor).value
    assert digest(tensor.clone()).value == known
    assert digest(tensor.t().contiguous().t()).value == known, "the layout in memory does not count"
    found = {known}
    for row in range(6):
        for column in range(5):
            changed = tensor.clone()
            changed[row, column] += 1
            found.add(digest(changed).value)
    assert len(found) == 31
    orders = ([0, 1, 2, 3, 4, 5], [1, 0, 2, 3, 4, 5], [5, 1, 2, 3, 4, 0])
    assert len({digest(tensor[order]).value for order in orders}) == 3
    assert digest(tensor[:, [1, 0, 2, 3, 4]]).value != known


@pytest.mark.parametrize("bit", range(32))
def test_a_digest_sees_every_bit(bit):
    tensor = noise(3, 4)
    changed = tensor.clone()
    changed.view(torch.int32)[1, 2] ^= -(2**31) if bit == 31 else 1 << bit
    assert digest(changed).value != digest(tensor).value


def test_parts_are_digested_by_their_place_so_that_their_sum_is_the_whole(monkeypatch):
    tensor = noise(700, 90)
    whole = int(digest(tensor).value, 16)
    cuts = [(0, 256), (256, 700)], [(0, 33), (33, 90)]
    parts = [digest(tensor[a:b, c:d], a, c).value for a, b in cuts[0] for c, d in cuts[1]]
    assert sum(int(part, 16) for part in parts) % 2**64 == whole and len(set(parts)) == 4
    monkeypatch.setattr("r1sdk.receipts.tensor_digest._AT_ONCE", 1000)
    assert int(digest(tensor).value, 16) == whole, "read in pieces"


def test_odd_tensors_have_digests_too():
    nan = torch.tensor([[float("nan"), float("inf"), -0.0]])
    assert digest(nan).value == digest(nan.clone()).value
    assert digest(nan).value != digest(torch.tensor([[float("nan"), float("inf"), 0.0]])).value
    assert digest(noise(8)).value != digest(noise(8).flip(0)).value
    assert digest(torch.zeros(0, 4)).value == "0" * 16
    assert digest(noise(2, 3, 4)).value == digest(noise(2, 3, 4).reshape(6, 4)).value
    assert digest(torch.full((3, 4), 2.0)).norm == pytest.approx(48**0.5)


# Names


def test_fused_tensors_are_mapped_to_the_trainers_names():
    assert list(pieces("model.layers.0.self_attn.qkv_proj", "weight", [8, 4, 4], PACKED)) == [
        Piece("model.layers.0.self_attn.q_proj.weight", 0, (0, 8)),
        Piece("model.layers.0.self_attn.k_proj.weight", 8, (0, 4)),
        Piece("model.layers.0.self_attn.v_proj.weight", 12, (0, 4)),
    ]
    assert [piece.name for piece in pieces("mlp.gate_up_proj", "bias", [6, 6], PACKED)] == [
        "mlp.gate_proj.bias",
        "mlp.up_proj.bias",
    ]
    assert list(pieces("lm_head", "weight", [9], PACKED)) == [Piece("lm_head.weight", 0, (0, 9))]
    fused_there_too = list(pieces("mlp.gate_up_proj", "weight", [6, 6], {"gate_up_proj": ["gate_up_proj"]}))
    assert fused_there_too == [Piece("mlp.gate_up_proj.weight", 0, (0, 12))]


def test_shards_hold_their_rows_and_copies_of_keys_are_known_as_copies():
    ranks = [list(pieces("a.gate_up_proj", "weight", [8, 8], PACKED, rank, 4)) for rank in range(4)]
    assert [(piece.at, piece.rows) for piece in ranks[3]] == [(0, (6, 8)), (2, (6, 8))]
    assert sorted(row for parts in ranks for row in range(*parts[0].rows)) == list(range(8))
    # 8 query heads and 2 key heads of 4 rows on 4 ranks: two ranks share a key head
    shared = [list(pieces("a.qkv_proj", "weight", [32, 16, 16], PACKED, rank, 4, [1, 2, 2])) for rank in range(4)]
    assert [parts[1].rows for parts in shared] == [(0, 4), (0, 4), (4, 8), (4, 8)]
    with pytest.raises(ValueError, match="cannot be shared by 3 ranks"):
        list(pieces("a.gate_up_proj", "weight", [8, 8], PACKED, 0, 3))
    with pytest.raises(ValueError, match="holds 2 tensors, and 3 names are known"):
        list(pieces("a.qkv_proj", "weight", [8, 8], PACKED))


@pytest.mark.parametrize("width", [1, 511, 512, 513, 896, 4864])
def test_every_column_is_read_within_as_few_syncs_as_possible(width):
    syncs = -(-width // 512)
    read = {column for number in range(7, 7 + syncs) for column in range(*columns_read(width, number))}
    assert read == set(range(width))


# What a worker reads


class Kernel:
    """Stands for vLLM's UnquantizedLinearMethod on a CPU: the weight is only in the kernel's own form."""

    def apply(self, layer, x, bias=None):
        return layer.cpu_linear(x, layer.weight, bias)


Kernel.__name__ = "UnquantizedLinearMethod"


def packed_linear(weight, sizes=None):
    """A layer as vLLM's CPU workers have it after loading: `weight` is empty."""
    layer = torch.nn.Module()
    layer.weight = torch.nn.Parameter(torch.empty(0), requires_grad=False)
    held = weight.clone()
    layer.cpu_linear = lambda x, _, bias: torch.nn.functional.linear(x, held, bias)
    layer.quant_method = Kernel()
    layer.input_size = layer.input_size_per_partition = weight.shape[1]
    layer.output_size = layer.output_size_per_partition = weight.shape[0]
    if sizes:
        layer.output_sizes = sizes
    return layer


class Norm(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(weight.clone(), requires_grad=False)


TRAINED = {
    "mlp.gate_proj.weight": noise(6, 4, seed=1),
    "mlp.up_proj.weight": noise(6, 4, seed=2),
    "mlp.down_proj.weight": noise(4, 600, seed=3),
    "norm.weight": noise(4, seed=4),
}


def worker(trained=TRAINED):
    """A worker that serves `trained`, fused as vLLM fuses it."""
    model = torch.nn.Module()
    model.packed_modules_mapping = PACKED
    model.mlp = torch.nn.Module()
    fused = torch.cat([trained["mlp.gate_proj.weight"], trained["mlp.up_proj.weight"]])
    model.mlp.gate_up_proj = packed_linear(fused, [6, 6])
    model.mlp.down_proj = packed_linear(trained["mlp.down_proj.weight"])
    model.norm = Norm(trained["norm.weight"])
    found = ReceiptWorker()
    found.model_runner = SimpleNamespace(get_model=lambda: model)
    return found


def expected(receipt, trained=TRAINED):
    """The trainer's side, for the parts in a receipt."""
    found = {}
    for tensor in receipt.tensors:
        value = trained[tensor.name]
        value = value[:, None] if value.ndim == 1 else value
        cut = value[slice(*tensor.rows), slice(*tensor.columns)]
        found[tensor.part] = tuple(digest(cut, tensor.rows[0], tensor.columns[0]))
    return Expected(found)


def receipt(served, number=0):
    return Receipt.parse(served.r1_receipt(str(number)))


def test_a_worker_reads_what_its_kernels_hold_under_the_trainers_names():
    found = receipt(worker())
    assert {tensor.name for tensor in found.tensors} == set(TRAINED) and not found.unread
    assert differences(found, expected(found)) == []
    wide = next(tensor for tensor in found.tensors if tensor.name == "mlp.down_proj.weight")
    assert wide.columns == (0, 512) and wide.norm == pytest.approx(float(TRAINED[wide.name][:, :512].norm()))
    later = receipt(worker(), 1)
    assert next(tensor.columns for tensor in later.tensors if tensor.name == wide.name) == (512, 600)
    without = Receipt.parse(worker().r1_receipt("0", "False"))
    assert [tensor.part for tensor in without.tensors] == [tensor.part for tensor in found.tensors]
    assert all(not tensor.digest for tensor in without.tensors)


def test_a_message_says_which_tensor_differs_and_what_it_holds():
    before = receipt(worker())
    known = expected(before)
    changed = {name: tensor + 1e-6 * noise(*tensor.shape, seed=9) for name, tensor in TRAINED.items()}
    now = expected(before, changed)

    def said(served=None):
        return differences(receipt(worker({**changed, **(served or {})})), now, known, None)

    assert said() == []
    name = "mlp.up_proj.weight"
    assert said({name: TRAINED[name]}) == [f"{name}: it still holds the weights of the sync before"]
    assert said({name: changed["mlp.gate_proj.weight"]}) == [f"{name}: it holds mlp.gate_proj.weight"]
    (line,) = said({"norm.weight": changed["norm.weight"] * 2})
    assert line.startswith("norm.weight: norm ") and "in the trainer" in line
    first = differences(receipt(worker()), now, None, known)
    assert len(first) == 4 and all("of the first sync" in line for line in first)


def test_another_type_than_at_the_start_is_a_difference():
    found = receipt(worker())
    known = expected(found)
    dtypes = {tensor.part: "bfloat16" for tensor in found.tensors}
    said = differences(found, Expected(known.digests, dtypes))
    assert said[0].endswith("it is served in float32, not in bfloat16 as at the start") and len(said) == 4


def test_tensors_that_cannot_be_read_are_named_and_never_taken_for_equal():
    served = worker()
    model = served.model_runner.get_model()
    model.mlp.down_proj.quant_method = type("Fp8LinearMethod", (), {})()
    model.experts = torch.nn.Module()
    model.experts.w13_weight = torch.nn.Parameter(noise(2, 3, 4))
    found = receipt(served)
    assert found.unread == {
        "mlp.down_proj.weight": "quantized by Fp8LinearMethod",
        "experts.w13_weight": "a Module with 3 dimensions",
    }
    assert missing([found], TRAINED, {}) == ["mlp.down_proj.weight"]


def test_a_kernel_that_refuses_is_named():
    served = worker()

    def refuse(x, _, bias):
        raise RuntimeError("no such shape")

    served.model_runner.get_model().mlp.down_proj.cpu_linear = refuse
    assert receipt(served).unread == {"mlp.down_proj.weight": "RuntimeError: no such shape"}


@pytest.mark.parametrize(
    "data", [None, [], {}, {"tensors": 1}, {"tensors": [{}], "unread": {}}, {"tensors": [], "unread": 3}]
)
def test_what_is_no_receipt_is_refused(data):
    with pytest.raises(ValueError, match="no receipt"):
        Receipt.parse(data)


def test_the_message_shows_three_tensors_and_counts_the_rest():
    text = explain([f"tensor {n}: stale" for n in range(5)], "the engine", 7)
    assert "after weight sync 7, 5 parts differ in the engine" in text and "tensor 2" in text and "and 2 more" in text
    assert "tensor 3" not in text and "1 part differs in" in explain(["a: b"], "the server", 1)


def test_shards_of_two_ranks_are_compared_each_with_its_part():
    whole = noise(8, 6)
    known = Expected({("w", (a, b), (0, 6)): tuple(digest(whole[a:b], a)) for a, b in ((0, 4), (4, 8))})
    ranks = [
        Receipt([TensorReceipt("w", (a, b), (0, 6), "float32", *digest(whole[a:b], a))]) for a, b in ((0, 4), (4, 8))
    ]
    assert [differences(rank, known) for rank in ranks] == [[], []]
    exchanged = Receipt([TensorReceipt("w", (4, 8), (0, 6), "float32", *digest(whole[0:4], 4))])
    assert len(differences(exchanged, known)) == 1


# The watch on a trainer


class Trained(torch.nn.Module):
    """A model with the tensors of TRAINED under their names."""

    def __init__(self):
        super().__init__()
        self.mlp = torch.nn.Module()
        for name in ("gate_proj", "up_proj", "down_proj"):
            layer = torch.nn.Linear(1, 1, bias=False)
            layer.weight = torch.nn.Parameter(TRAINED[f"mlp.{name}.weight"].clone())
            setattr(self.mlp, name, layer)
        self.norm = Norm(TRAINED["norm.weight"])
        self.norm.weight.requires_grad_(True)

    def tensors(self):
        return {name: each.detach().clone() for name, each in self.named_parameters()}


class Generation:
    """Stands for TRL's VLLMGeneration in mode colocate, with a worker in place of vLLM."""

    mode = "colocate"

    def __init__(self, model, adapters):
        self.model, self.adapters, self.served, self.generated = model, adapters, worker(), 0
        self._dist = SimpleNamespace(is_fsdp=False)
        runner = SimpleNamespace(get_model=lambda: self.served.model_runner.get_model())
        executor = SimpleNamespace(driver_worker=SimpleNamespace(model_runner=runner))
        self.llm = SimpleNamespace(llm_engine=SimpleNamespace(model_executor=executor), generate=self.sample)
        if adapters:
            model.peft_config = {"default": None}

    def sample(self):
        self.generated += 1

    def _fix_param_name_to_vllm(self, name):
        return name

    def _iter_named_params(self):
        for name, tensor in self.model.named_parameters():
            yield name, tensor * (1.5 if self.adapters else 1.0)  # as if merged

    def sync_weights(self):
        self.served = worker({name: tensor.detach() for name, tensor in self._iter_named_params()})


def watched(adapters=False):
    model = Trained()
    trainer = SimpleNamespace(
        use_vllm=True,
        vllm_generation=Generation(model, adapters),
        accelerator=SimpleNamespace(is_main_process=True, num_processes=1),
        state=SimpleNamespace(global_step=0),
    )
    return trainer, watch_sampler(trainer, probe=False)


def step(trainer, sync=True, change=True):
    """One step of training as TRL makes it: other weights, a sync, a generation."""
    trainer.state.global_step += 1
    with torch.no_grad():
        for parameter in trainer.vllm_generation.model.parameters():
            parameter.add_(1e-6 * change)
    if sync:
        trainer.vllm_generation.sync_weights()
    trainer.vllm_generation.llm.generate()


@pytest.mark.parametrize("adapters", [False, True])
def test_a_watched_trainer_generates_with_its_own_weights_only(adapters, capsys):
    trainer, watch = watched(adapters)
    for _ in range(3):
        step(trainer)
    assert (watch.checks, watch.compared, watch.skipped, trainer.vllm_generation.generated) == (3, 4, (), 3)
    assert capsys.readouterr().out.count("weight receipts: 4 of 4 tensors are compared at each sync") == 1
    with pytest.raises(StaleSampler, match="still holds the weights of the sync before|changed since the last sync"):
        step(trainer, sync=False)
    assert trainer.vllm_generation.generated == 3, "no token was made"


@pytest.mark.parametrize("adapters", [False, True])
def test_weights_that_do_not_arrive_are_noticed_at_once(adapters):
    trainer, _ = watched(adapters)
    generation = trainer.vllm_generation
    step(trainer)
    served = generation.served
    trainer.state.global_step += 1
    with torch.no_grad():
        generation.model.mlp.up_proj.weight.add_(1e-6)
    generation.sync_weights()
    generation.served = served
    with pytest.raises(StaleSampler, match="1 part differs in the engine\n  mlp.up_proj.weight: it still holds"):
        generation.llm.generate()


def test_generating_again_with_the_same_weights_is_not_checked_again():
    trainer, watch = watched()
    step(trainer)
    trainer.vllm_generation.llm.generate()
    assert watch.checks == 1
    trainer.vllm_generation.sync_weights()
    trainer.vllm_generation.llm.generate()
    assert watch.checks == 2


def test_a_trainer_without_vllm_has_nothing_to_watch():
    with pytest.raises(ValueError, match="does not generate with vLLM"):
        watch_sampler(SimpleNamespace(use_vllm=False))


def test_an_empty_model_gives_an_empty_receipt():
    runner = SimpleNamespace(get_model=torch.nn.Module)
    assert receipt_of(runner, 0) == {"tensors": [], "unread": {}}
