"""Fast generation on a CPU for small models of the Llama and Qwen families.

transformers runs about 400 small operations for each token of a small model, copies the whole cache at each, and keeps rows that have
finished. Here the prompts go through the model once, and then a plain loop continues them: a cache with room for more tokens, joined
projections, and a batch that finished rows leave at once. Every number is rounded as transformers rounds it, so the samples are
those of `compacting` with transformers' own loop (tests/train/test_cpu_decoder.py).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from .cpu_threads import follow_load

GROUP = 4  # rows: matrix products of fewer rows, or of a remainder, may round differently
SMALL = 20_000_000  # parameters
FEW_ROWS = 16  # one thread computes so many rows of a small model as fast as several
JOINED_BYTES = 256 << 20  # up to this size the projections of a model are joined, which copies them

_FAMILIES = {"LlamaForCausalLM": "llama", "Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen3"}
_FIXED_ROPE = {"default", "linear", "llama3", "yarn"}  # the others change their frequencies with the length
_UNDERSTOOD = {  # settings of a GenerationConfig that this loop follows, or that do not concern it
    *("do_sample", "temperature", "top_p", "top_k", "min_p", "max_new_tokens", "max_length"),
    *("pad_token_id", "eos_token_id", "bos_token_id", "decoder_start_token_id"),
    *("use_cache", "disable_compile", "transformers_version", "_from_model_config", "return_dict_in_generate"),
}
_NEUTRAL = {"repetition_penalty": 1.0, "num_beams": 1, "typical_p": 1.0, "num_return_sequences": 1}


def refusal(model: Any, config: Any) -> str | None:
    """Return why `model` with the GenerationConfig `config` is left to transformers; None if `decode` generates it."""
    return _refused_model(model) or _refused_settings(config)


def _refused_model(model: Any) -> str | None:
    name = type(model).__name__
    if model.device.type != "cpu":
        return "the model is not on the CPU"
    if _FAMILIES.get(name) != type(model).__module__.split(".")[-2] or not type(model).__module__.startswith(
        "transformers."
    ):
        return f"{name} is none of {', '.join(_FAMILIES)}"
    settings = model.config
    if settings._attn_implementation != "sdpa":
        return f"attention is {settings._attn_implementation}, not sdpa"
    if "sliding_attention" in (getattr(settings, "layer_types", None) or []):
        return "it attends through a sliding window"
    rope = settings.rope_parameters.get("rope_type", "default")
    if rope not in _FIXED_ROPE:
        return f"its positions are scaled by {rope!r}, which depends on the length"
    if model.training and settings.attention_dropout:
        return "it is in training mode and has dropout"
    if torch.is_autocast_enabled("cpu"):
        return "autocast is on"
    kinds = {parameter.dtype for parameter in model.parameters()}
    if len(kinds) > 1 or not kinds <= {torch.float32, torch.bfloat16}:
        return f"its weights are {', '.join(sorted(str(kind) for kind in kinds))}"
    for path, module in model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks or not _computes_as_its_class(module):
            return f"the forward pass of {path or 'the model'} is hooked or replaced"
        if path.endswith(("_proj", "lm_head")) and type(module) is not torch.nn.Linear:
            return f"{path} is a {type(module).__name__}, not a plain linear layer"
    return None


def _computes_as_its_class(module: Any) -> bool:
    """True unless another forward pass was set on `module`.

    TRL sets one that differs for its loss alone (`fused_lm_head`), and accelerate sets the class's own again, undecorated.
    """
    if (own := vars(module).get("forward")) is None:
        return True
    set_here: Any = getattr(own, "__func__", None)
    if getattr(set_here, "__name__", None) == "forward" and set_here.__globals__["__name__"] == "trl.trainer.utils":
        return True
    function = type(module).forward
    while function is not None and set_here is not function:
        function = getattr(function, "__wrapped__", None)
    return function is not None


def _refused_settings(config: Any) -> str | None:
    for key, value in config.to_diff_dict().items():
        if key not in _UNDERSTOOD and value is not None and value != _NEUTRAL.get(key):
            return f"generation setting {key}"
    return None


class _Layer(NamedTuple):
    """One layer as functions of rows, [M, ...]."""

    attention_norm: Callable[[Tensor], Tensor]
    qkv: Callable[[Tensor], Tensor]  # [M, C] -> [M, (Hq + 2 Hk) D]
    head_norms: tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]] | None  # of queries and keys, in Qwen3
    attention_out: Callable[[Tensor, Tensor], None]  # adds to the residual stream in place
    mlp_norm: Callable[[Tensor], Tensor]
    gate_up: Callable[[Tensor], Tensor]  # [M, C] -> [M, 2 I]
    mlp_out: Callable[[Tensor, Tensor], None]


def decode(model: Any, input_ids: Tensor, attention_mask: Tensor, config: Any, stretch: int) -> Tensor:
    """Prompts and completions, [B, P + T], padded on the right.

    `stretch`: after so many tokens each, `compacting` removes the finished rows. Noise is drawn for the rows that it would have.
    """
    with torch.inference_mode():
        made = _Batch(model, input_ids, attention_mask, config).generate(stretch)
    longest = max(map(len, made))
    padded = [[*row, *[config.pad_token_id] * (longest - len(row))] for row in made]
    return torch.cat([input_ids, torch.tensor(padded, dtype=input_ids.dtype)], dim=1)


class _Batch:
    """The rows that are generated together, each at a place in the cache; the places of unfinished rows come first."""

    def __init__(self, model: Any, input_ids: Tensor, attention_mask: Tensor, config: Any) -> None:
        settings = model.config
        self.model, self.config = model, config
        self.heads, self.kv_heads = settings.num_attention_heads, settings.num_key_value_heads
        self.inner = settings.intermediate_size
        self.scale = model.model.layers[0].self_attn.scaling
        self.act = model.model.layers[0].mlp.act_fn
        self.ids, self.attention_mask = input_ids, attention_mask
        self.size, self.width = input_ids.shape
        ends = config.eos_token_id
        self.ends = frozenset(ends if isinstance(ends, (list, tuple)) else [ends])
        self.sampler = _Sampler(config) if config.do_sample else None
        self.small = sum(parameter.numel() for parameter in model.parameters()) <= SMALL
        self.layers, self.final_norm = _layers(model), _norm(model.model.norm)

    def generate(self, stretch: int) -> list[list[int]]:
        """Return each row's continuation, up to and including the token that ends it."""
        limit, threads = self.config.max_new_tokens, follow_load()
        self.made: list[list[int]] = [[] for _ in range(self.size)]
        self.rows = list(range(self.size))  # the row at each place
        self.alive = self.size  # the places of unfinished rows come first
        logits = self._read_prompts(min(limit, stretch))
        slots = {row: row for row in self.rows}  # of the noise
        try:
            for done in range(limit):
                if done and done % stretch == 0:
                    slots = {row: slot for slot, row in enumerate(sorted(self.rows[: self.alive]))}
                    self._make_room(self.width + min(done + stretch, limit))
                    torch.set_num_threads(threads)
                    threads = follow_load()
                    if self.small and self.alive <= FEW_ROWS:
                        torch.set_num_threads(1)
                if self.sampler is None:
                    tokens = logits.argmax(-1)
                else:
                    tokens = self.sampler.sample(
                        logits, len(slots), [slots.get(row, 0) for row in self.rows], self.alive
                    )
                finished = []
                for place, token in enumerate(tokens.tolist()[: self.alive]):
                    self.made[self.rows[place]].append(token)
                    if token in self.ends:
                        finished.append(place)
                if len(finished) == self.alive or done + 1 == limit:
                    break
                if finished:
                    tokens = self._remove(finished, tokens, self.width + done)
                logits = self._step(tokens, self.width + done)
        finally:
            torch.set_num_threads(threads)
        return self.made

    def _read_prompts(self, steps: int) -> Tensor:
        """Run the model over the prompts, equal ones once; fill the cache, with room for `steps` tokens. Returns logits, [B, V]."""
        from transformers import DynamicCache

        keys = [row.tobytes() for row in torch.cat([self.ids, self.attention_mask], 1).numpy()]
        first = {key: at for at, key in reversed(list(enumerate(keys)))}
        distinct = sorted(first.values())
        if len(distinct) * self.width < 4 * GROUP:
            distinct = list(range(self.size))
            of = torch.arange(self.size)
        else:
            place = {at: number for number, at in enumerate(distinct)}
            of = torch.tensor([place[first[key]] for key in keys])
        mask = self.attention_mask[distinct]
        cache = DynamicCache(config=self.model.config)
        hidden = self.model.model(
            input_ids=self.ids[distinct],
            attention_mask=mask,
            position_ids=(mask.long().cumsum(-1) - 1).masked_fill(mask == 0, 0),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        self.room = self.width + steps
        self.cache = []  # by layer: keys and values, [2, B, Hk, T, D]
        for layer in cache.layers:
            _, heads, _, head = layer.keys.shape
            both = layer.keys.new_empty(2, self.size, heads, self.room, head)
            both[0, :, :, : self.width] = layer.keys.index_select(0, of)
            both[1, :, :, : self.width] = layer.values.index_select(0, of)
            self.cache.append(both)
        counts = self.attention_mask.sum(1)
        self.starts = counts - self.width  # position minus the length of the cache
        self.mask = None
        if int(counts.min()) < self.width:
            self.mask = hidden.new_zeros(self.size, 1, 1, self.width + self.config.max_new_tokens)
            self.mask[:, 0, 0, : self.width].masked_fill_(self.attention_mask == 0, float("-inf"))
        positions = torch.arange(int(counts.max()) + self.config.max_new_tokens)[None]
        self.cos, sin = (table[0] for table in self.model.model.rotary_emb(hidden, positions))
        half = sin.size(1) // 2
        self.sin = torch.cat([-sin[:, :half], sin[:, half:]], 1)  # so that the halves of a head need only change places
        return self.model.lm_head(hidden[:, -1].index_select(0, of)).float()  # type: ignore[no-any-return]

    def _make_room(self, length: int) -> None:
        if length <= self.room:
            return
        self.room = min(self.width + self.config.max_new_tokens, max(length, self.room * 3 // 2))
        for at, old in enumerate(self.cache):
            _, _, heads, used, head = old.shape
            new = old.new_empty(2, len(self.rows), heads, self.room, head)
            new[:, :, :, :used] = old[:, : len(self.rows)]
            self.cache[at] = new

    def _remove(self, finished: list[int], tokens: Tensor, length: int) -> Tensor:
        """Move the last rows to the places of finished ones. `length`: tokens in the cache. Returns the tokens at their new places."""
        left, gone = self.alive - len(finished), set(finished)
        movers = [place for place in range(left, self.alive) if place not in gone]
        for gap, mover in zip(sorted(gone), movers, strict=False):
            self.rows[gap] = self.rows[mover]
            for state in (tokens, self.starts, *([] if self.mask is None else [self.mask])):
                state[gap] = state[mover]
            for cache in self.cache:
                cache[:, gap, :, :length] = cache[:, mover, :, :length]
        self.alive = left
        size = min(len(self.rows), -(-left // GROUP) * GROUP)
        if size < len(self.rows):
            del self.rows[size:]
            self.starts = self.starts[:size]
            self.mask = None if self.mask is None else self.mask[:size]
        return tokens[:size]

    def _step(self, tokens: Tensor, at: int) -> Tensor:
        """Return the logits after one more token in each row, [M] -> [M, V]; `at` is its place in the cache."""
        size = len(self.rows)
        positions = self.starts + at
        cos, sin = self.cos[positions].unsqueeze(1), self.sin[positions].unsqueeze(1)
        mask = None if self.mask is None else self.mask[:, :, :, : at + 1]
        heads, kv_heads, head = self.heads, self.kv_heads, cos.size(-1)
        stream = functional.embedding(tokens, self.model.model.embed_tokens.weight)
        for layer, cache in zip(self.layers, self.cache, strict=True):
            projected = layer.qkv(layer.attention_norm(stream)).view(size, -1, head)
            turned = projected[:, : heads + kv_heads]
            if layer.head_norms is not None:
                queries, keys = layer.head_norms
                turned = torch.cat([queries(turned[:, :heads]), keys(turned[:, heads:])], 1)
            swapped = turned.roll(head // 2, -1).mul_(sin)
            turned = (turned * cos).add_(swapped)
            keys, values = cache[:, :size, :, : at + 1].unbind(0)
            keys[:, :, at] = turned[:, heads:]
            values[:, :, at] = projected[:, heads + kv_heads :]
            attended = functional.scaled_dot_product_attention(
                turned[:, :heads].unsqueeze(2),
                keys,
                values,
                attn_mask=mask,
                scale=self.scale,
                enable_gqa=heads != kv_heads,
            )
            layer.attention_out(stream, attended.reshape(size, -1))
            gate, up = torch.split_with_sizes(layer.gate_up(layer.mlp_norm(stream)), [self.inner] * 2, 1)
            layer.mlp_out(stream, self.act(gate).mul_(up))
        return self.model.lm_head(self.final_norm(stream)).float()  # type: ignore[no-any-return]


class _Sampler:
    """Draws tokens as `torch.multinomial` does, with the same random numbers: the greatest probability over exponential noise.

    multinomial takes the logarithm of one random number at a time, and for rows that have finished, too.
    """

    def __init__(self, config: Any) -> None:
        from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

        self.warpers: list[Any] = []  # in the order of transformers, with its defaults
        if config.temperature not in (None, 1.0):
            self.warpers.append(TemperatureLogitsWarper(config.temperature))
        if top_k := 50 if config.top_k is None else config.top_k:
            self.warpers.append(TopKLogitsWarper(top_k))
        if config.top_p is not None and config.top_p < 1.0:
            self.warpers.append(TopPLogitsWarper(config.top_p))
        if config.min_p is not None:
            self.warpers.append(MinPLogitsWarper(config.min_p))

    def sample(self, logits: Tensor, drawn: int, slots: list[int], alive: int) -> Tensor:
        """Return a token for each row, [M, V] -> [M], by the noise of `slots` among `drawn` rows.

        Raises: RuntimeError where a probability of the first `alive` rows is not a number, as `torch.multinomial` does.
        """
        for warper in self.warpers:
            logits = warper(None, logits)
        uniform = torch.empty(drawn, logits.size(1), dtype=torch.float64).uniform_()
        if slots != list(range(drawn)):
            uniform = uniform[slots]
        noise = uniform.neg_().log1p_().neg_().float()  # Exp(1), as float64 until it is whole
        best, tokens = torch.softmax(logits, -1).div_(noise).max(-1)
        if torch.isnan(best[:alive]).any():
            raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
        return tokens


def _layers(model: Any) -> list[_Layer]:
    join = sum(parameter.nbytes for parameter in model.parameters()) <= JOINED_BYTES
    found = []
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        norms = (_norm(attention.q_norm), _norm(attention.k_norm)) if hasattr(attention, "q_norm") else None
        found.append(
            _Layer(
                _norm(layer.input_layernorm),
                _joined([attention.q_proj, attention.k_proj, attention.v_proj], join),
                norms,
                _added(attention.o_proj),
                _norm(layer.post_attention_layernorm),
                _joined([mlp.gate_proj, mlp.up_proj], join),
                _added(mlp.down_proj),
            )
        )
    return found


def _norm(module: Any) -> Callable[[Tensor], Tensor]:
    weight, epsilon = module.weight, module.variance_epsilon
    if weight.dtype != torch.float32:
        return module  # type: ignore[no-any-return]  # which rounds before it multiplies by the weight
    shape = (weight.size(0),)
    return lambda x: functional.rms_norm(x, shape, weight, epsilon)


def _joined(linears: list[Any], join: bool) -> Callable[[Tensor], Tensor]:
    """Return the function that concatenates what each of `linears` makes of its argument."""
    if not join:
        return lambda x: torch.cat([linear(x) for linear in linears], -1)
    weight = torch.cat([linear.weight for linear in linears])
    bias = None if linears[0].bias is None else torch.cat([linear.bias for linear in linears])
    return lambda x: functional.linear(x, weight, bias)


def _added(linear: Any) -> Callable[[Tensor, Tensor], None]:
    """Return the function that adds `linear` of its second argument to its first, rounded as if the sum were its own step."""
    if linear.bias is not None or linear.weight.dtype != torch.float32:

        def add(stream: Tensor, x: Tensor) -> None:
            stream.add_(linear(x))

        return add
    transposed = linear.weight.t()

    def add_product(stream: Tensor, x: Tensor) -> None:
        stream.addmm_(x, transposed)

    return add_product
