"""All of GRPO on one page: train the embedded model on Countdown in plain torch, with the numbers of `r1 train`.

    python docs/grpo_from_scratch.py --steps 3

GRPO (DeepSeekMath, arXiv 2402.03300, section 4.1) needs no value model. For each prompt it samples a group of completions,
scores them, and compares each score with the mean of its group: completions above the mean become likelier, those below
it less likely. Shapes: P prompts, G completions of each, B = P x G rows, T tokens in a row.

r1sdk gives the model, its chat template, the tasks and the scores. The algorithm is written out here: sampling, advantages,
loss, optimizer step, learning rate. It runs on a CPU in float32. docs/grpo-from-scratch.md leads from each block to the
module of r1sdk that does the same work for any model, environment and number of GPUs.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, AutoTokenizer

import r1sdk
from r1sdk.plugins.loading import load_plugins
from r1sdk.scoring.score_rollouts import score


@dataclass(frozen=True)
class Settings:
    """The recipe countdown/tiny, and TRL's defaults for everything that the recipe leaves out."""

    prompts: int = 16  # P
    samples: int = 8  # G, the size of a group
    max_tokens: int = 300  # of a completion
    updates: int = 1  # optimizer steps for each batch of samples: mu in the paper
    clip: float = 0.2  # epsilon in the paper
    learning_rate: float = 3.0e-4  # at its highest
    min_lr_ratio: float = 0.05
    warmup_steps: int = 5
    decay_steps: int = 40
    total_steps: int = 80
    betas: tuple[float, float] = (0.9, 0.99)
    max_grad_norm: float = 1.0
    train_size: int = 4000  # tasks
    seed: int = 0


@dataclass(frozen=True)
class Step:
    """The figures of one optimizer step, and the rollouts that it learned from."""

    rewards: dict[str, float]  # mean over the batch, by name; "reward" is the mean of their sums
    loss: float
    clipped: float  # share of the tokens that the clip takes out of the gradient
    grad_norm: float  # before it is clipped
    learning_rate: float
    rollouts: list[r1sdk.Rollout]  # [B]


def train(settings: Settings, steps: int) -> Iterator[Step]:
    """Run the first `steps` optimizer steps, and yield the figures of each."""
    registry = load_plugins()
    folder = registry.get("model", "tiny").target
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    environment = registry.build("environment", "countdown", {"train_size": settings.train_size})
    rewards = {name: (registry.build("reward", name, {}), 1.0) for name in ("accuracy", "format")}  # 1.0: the weight
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, betas=settings.betas, eps=1e-8, weight_decay=0.0)

    # A separate generator shuffles the tasks, so that the random numbers of sampling do not change their order.
    tasks = list(environment.tasks("train"))
    order = torch.randperm(len(tasks), generator=torch.Generator().manual_seed(settings.seed)).tolist()
    torch.manual_seed(settings.seed)
    torch.empty((), dtype=torch.int64).random_()  # TRL's data loader draws one number; so do we, to sample the same

    for step in range(steps):
        if step % settings.updates == 0:
            # 1. Prompts, each of them G times.
            first = step // settings.updates * settings.prompts
            batch = [tasks[i] for i in order[first : first + settings.prompts] for _ in range(settings.samples)]
            prompts = [tokenizer.apply_chat_template(t.prompt, add_generation_prompt=True).input_ids for t in batch]

            # 2. Samples.
            completions = sample(model, prompts, tokenizer.eos_token_id, tokenizer.pad_token_id, settings.max_tokens)
            torch.randperm(len(batch))  # TRL shuffles the rows; a sum over all of them stays the same

            # 3. Verdicts and rewards: the environment judges each text, and each reward reads the judged rollout.
            texts = tokenizer.batch_decode(completions, skip_special_tokens=True)
            replies = [r1sdk.Completion([{"role": "assistant", "content": text}]) for text in texts]
            rollouts = [r1sdk.Rollout(task, reply) for task, reply in zip(batch, replies, strict=True)]
            rollouts, scores = score(rollouts, environment, rewards, settings.samples)
            totals = torch.tensor([one.total for one in scores])  # [B]
            means = {name: sum(one.rewards[name] for one in scores) / len(scores) for name in rewards}
            means["reward"] = totals.mean().item()

            # 4. Advantages.
            advantages = group_advantages(totals, settings.samples)
            old = None

        # 5. Loss.
        logps, mask = log_probs(model, prompts, completions)
        old = logps.detach() if old is None else old  # of the policy that sampled, before its first update
        loss, clipped = clipped_loss(logps, old, advantages, mask, settings.clip)

        # 6. Optimizer step.
        optimizer.param_groups[0]["lr"] = rate = learning_rate(step, settings)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        optimizer.step()
        yield Step(means, loss.item(), clipped.item(), norm.item(), rate, rollouts)


@torch.no_grad()
def sample(model: Any, prompts: list[list[int]], end: int, padding: int, max_tokens: int) -> list[list[int]]:
    """Draw one completion for each prompt, token by token, until `end` or `max_tokens`.

    At temperature 1 the samples come from the policy itself. At any other temperature `log_probs` would have to divide its
    logits by it too: the gradient is an expectation over the policy that sampled.
    """
    width = max(map(len, prompts))  # prompts are padded on the left, so that all completions begin in one column
    ids = torch.tensor([[padding] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    completions: list[list[int]] = [[] for _ in prompts]
    rows, cache = list(range(len(prompts))), None  # the rows that the model still continues, and their keys and values
    for count in range(1, max_tokens + 1):
        output = model(ids, attention_mask=mask, position_ids=positions, past_key_values=cache, logits_to_keep=1)
        cache = output.past_key_values
        ids = torch.multinomial(torch.softmax(output.logits[:, -1], dim=-1), 1)  # [rows, 1]
        for row, token in zip(rows, ids[:, 0].tolist(), strict=True):
            if completions[row][-1:] != [end]:
                completions[row].append(token)
        mask, positions = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1), positions[:, -1:] + 1
        alive = [at for at, row in enumerate(rows) if completions[row][-1] != end]
        if not alive:
            break
        if count % 32 == 0:  # finished rows leave now and then, not after each token: the whole cache is copied
            rows, ids, mask, positions = [rows[at] for at in alive], ids[alive], mask[alive], positions[alive]
            cache.batch_select_indices(torch.tensor(alive))
    return completions


def group_advantages(totals: Tensor, samples: int) -> Tensor:
    """Return how far each total is above the mean of its group, in standard deviations. Shapes: [B] -> [B].

    arXiv 2402.03300, section 4.1.2. The mean of the group stands in for a value model. A zero-variance group teaches
    nothing: all its advantages are 0.
    """
    groups = totals.view(-1, samples)  # [P, G]
    above = groups - groups.mean(dim=1, keepdim=True)
    return (above / (groups.std(dim=1, keepdim=True) + 1e-4)).flatten()  # 1e-4 prevents 0 / 0


def log_probs(model: Any, prompts: list[list[int]], completions: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Return each token's log-probability given those before it, and a mask of the completions. Shapes: 2 x [B, T]."""
    rows = list(zip(prompts, completions, strict=True))
    # Padding on the right needs no attention mask: a token attends to earlier ones only, and the loss skips padding.
    ids = pad_sequence([torch.tensor(prompt + reply) for prompt, reply in rows], batch_first=True)
    mask = pad_sequence([torch.tensor([0.0] * len(p) + [1.0] * len(reply)) for p, reply in rows], batch_first=True)
    logps = torch.log_softmax(model(ids).logits[:, :-1], dim=-1)  # the logits of a token predict the one after it
    return logps.gather(-1, ids[:, 1:, None])[..., 0], mask[:, 1:]


def clipped_loss(logps: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """Return the loss, and the share of the tokens that the clip takes out of its gradient.

    PPO's clipped objective (arXiv 1707.06347, Eq. 7), in which each token has the advantage of its whole completion (arXiv
    2402.03300, Eq. 3; beta is 0, so the KL term is left out). The mean is over all tokens of the batch (DAPO, arXiv
    2503.14476, section 3.3): averaged within each completion first, a token counts less the longer its completion is.
    """
    ratio, advantage = torch.exp(logps - old), advantages[:, None]
    # At the first update of a batch each ratio is 1 and has the gradient of `logps`: this is REINFORCE. At later updates
    # the minimum stops paying a token for moving further than `clip` from the policy that sampled it.
    gain = torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    flat = ((ratio > 1 + clip) & (advantage > 0)) | ((ratio < 1 - clip) & (advantage < 0))
    return -(gain * mask).sum() / mask.sum(), (flat * mask).sum() / mask.sum()


def learning_rate(step: int, settings: Settings) -> float:
    """Return the rate of a step, counted from 0: it rises from `min_lr_ratio`, stays, and falls back to it."""
    rise, fall = step / settings.warmup_steps, (settings.total_steps - step) / settings.decay_steps
    return settings.learning_rate * (settings.min_lr_ratio + (1 - settings.min_lr_ratio) * min(1.0, rise, fall))


def main() -> None:
    """Print the figures of each step."""
    parser = argparse.ArgumentParser(description="GRPO on Countdown, in plain torch")
    parser.add_argument("--steps", type=int, default=80, help="optimizer steps, from 1 to %(default)s")
    parser.add_argument("--updates", type=int, default=1, help="optimizer steps for each batch of samples")
    given = parser.parse_args()
    settings = Settings(updates=given.updates)
    if not 1 <= given.steps <= settings.total_steps or given.updates < 1:
        parser.error(f"--steps is from 1 to {settings.total_steps}, and --updates at least 1")
    for number, step in enumerate(train(settings, given.steps), 1):
        means = "  ".join(f"{name} {mean:.3f}" for name, mean in step.rewards.items())
        print(
            f"step {number}  {means}  loss {step.loss:.4f}  gradient {step.grad_norm:.4f}  clipped {step.clipped:.1%}"
        )


if __name__ == "__main__":
    main()
