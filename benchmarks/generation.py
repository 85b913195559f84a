"""Generation on a CPU: r1sdk's loop against transformers' own with finished rows removed, in turns in one process.

    python benchmarks/generation.py --rounds 5
    python benchmarks/generation.py --threads 1 --of training,eval

`training`: 16 prompts with 8 completions each, as in a step. `eval`: 128 different prompts, one completion each; `r1 generate` asks
for the same. Both sides draw the same tokens from the same seed, which is checked. The figure to read is the ratio of the seconds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

SHAPES = {"training": (16, 8), "eval": (128, 1)}  # prompts, completions of each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", help="a registered model")
    parser.add_argument("--of", default="training,eval")
    parser.add_argument("--max-tokens", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="of torch; without it, all cores")
    options = parser.parse_args()

    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    model, tokenizer, tasks = load(options.model)
    print(
        f"{options.model}, at most {options.max_tokens} tokens, {torch.get_num_threads()} threads, {options.rounds} rounds"
    )
    print("| batch | tokens/s | of transformers' loop | ratio, wall | ratio, processor |\n|---|---|---|---|---|")
    for name in options.of.split(","):
        measure(name, model, tokenizer, tasks, options)


def load(name: str) -> tuple[Any, Any, Any]:
    from r1sdk.planning.resolve import plan_run
    from r1sdk.plugins.loading import load_plugins
    from r1sdk.recipe.schema import load_recipe
    from r1sdk.training.models import load_model, load_tokenizer, locate

    recipe = load_recipe(None, {"model": name, "env": "countdown", "rewards": "accuracy,format"})
    run = plan_run(recipe, load_plugins())
    where = locate(run.model, Path(mkdtemp(prefix="r1-")) / "model", 0)
    return load_model(where).eval(), load_tokenizer(where), run.environment.tasks("train")


def measure(name: str, model: Any, tokenizer: Any, tasks: Any, options: argparse.Namespace) -> None:
    import torch
    from transformers import GenerationConfig

    from r1sdk.rollout import compacting
    from r1sdk.rollout.chat_template import render
    from r1sdk.rollout.cpu_decoder import refusal
    from r1sdk.rollout.hf_model import end_tokens

    prompts, samples = SHAPES[name]
    texts = [render(tokenizer, task.prompt) for task in islice(tasks, prompts) for _ in range(samples)]
    rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
    width, padding = max(map(len, rows)), tokenizer.pad_token_id
    ids = torch.tensor([[padding] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        max_new_tokens=options.max_tokens,
        pad_token_id=padding,
        eos_token_id=sorted(end_tokens(model, tokenizer)),
    )
    if reason := refusal(model, config):
        raise SystemExit(f"transformers generates this model: {reason}")

    def plain() -> Any:
        with compacting._own_settings_hidden(model):
            return compacting._generate(model, ids, mask, config)

    sides: dict[str, Callable[[], Any]] = {
        "ours": lambda: compacting.generate(model, ids, mask, config),
        "transformers": plain,
    }
    walls: dict[str, list[float]] = {side: [] for side in sides}
    processors: dict[str, list[float]] = {side: [] for side in sides}
    tokens: list[int] = []
    for seed in range(options.rounds + 1):
        made = {}
        for side in list(sides) if seed % 2 else list(sides)[::-1]:
            torch.manual_seed(seed)
            wall, processor = time.perf_counter(), time.process_time()
            with torch.no_grad():
                made[side] = sides[side]()
            if seed:  # the first round warms up
                walls[side].append(time.perf_counter() - wall)
                processors[side].append(time.process_time() - processor)
        if not torch.equal(made["ours"], made["transformers"]):
            raise SystemExit(f"the tokens differ with seed {seed}")
        tokens.append(int((made["ours"][:, width:] != padding).sum()))
    rate = statistics.median(n / s for n, s in zip(tokens[1:], walls["ours"], strict=True))
    plain_rate = statistics.median(n / s for n, s in zip(tokens[1:], walls["transformers"], strict=True))
    print(f"| {name} | {rate:.0f} | {plain_rate:.0f} | {ratio(walls)} | {ratio(processors)} |", flush=True)


def ratio(seconds: dict[str, list[float]]) -> str:
    ratios = [a / b for a, b in zip(seconds["transformers"], seconds["ours"], strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


if __name__ == "__main__":
    main()
