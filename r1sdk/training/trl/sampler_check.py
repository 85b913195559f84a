"""Check the sampler of GRPO: compare vLLM's log-probabilities with the trainer's at every step."""

from typing import Any

from ...errors import R1Error
from ...receipts import SamplerWatch
from .advantage_trainer import AdvantageTrainer

METRIC, LARGEST = "sampler_difference", "sampler_difference_max"
_TRL_METRIC, _TRL_LARGEST = "sampling/sampling_logp_difference/mean", "sampling/sampling_logp_difference/max"


class CheckedSamplerTrainer(AdvantageTrainer):
    """Log the difference as `sampler_difference` and stop above `sampler_limit`. Without vLLM there is none.

    `receipts`: compares the weights themselves (docs/vllm.md).
    """

    sampler_limit: float | None = None
    receipts: SamplerWatch | None = None
    _receipt_seconds = 0.0

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        output = super()._generate_and_score_completions(inputs)
        if self.use_vllm:
            metrics = self._metrics["train" if self.model.training else "eval"]
            difference = metrics[_TRL_METRIC][-1]  # the same in all processes
            metrics[METRIC].append(difference)
            metrics[LARGEST].append(metrics[_TRL_LARGEST][-1])
            if (watch := self.receipts) is not None:
                metrics["receipts/seconds"].append(watch.seconds - self._receipt_seconds)
                metrics["receipts/tensors"].append(float(watch.compared))
                metrics["receipts/probe_difference"].append(watch.probe_difference or 0.0)
                self._receipt_seconds = watch.seconds
            if self.sampler_limit is not None and difference > self.sampler_limit:
                raise R1Error(disagreement(difference, self.sampler_limit))
        return output


def disagreement(difference: float, limit: float) -> str:
    """Return the message for a sampler that differs from the policy."""
    return (
        f"sampler and trainer disagree: of the tokens that vLLM has just sampled, the trainer's log-probabilities differ by "
        f"{difference:.3f} on average, more than limits.sampler_difference = {limit:g}\n"
        "  A stale sampler generates with weights of an earlier step, or of another model: the policy then learns from "
        "completions that are not its own, and nothing else shows it.\n"
        "  Check that the server serves this model and is no other run's, and that vllm has the tested version (r1 doctor). "
        "Healthy runs in bfloat16 are at 0.01 to 0.04; generation.top_p or top_k that cut the distribution, and mixtures of "
        "experts, are higher: raise the limit for those.\n"
        "  --resume continues from the last checkpoint; with generation.backend=transformers a new run needs no sync"
    )
