"""Weight receipts: proof, after each weight sync, that vLLM serves the trainer's weights.

Plain TRL needs two lines: `watch_sampler(trainer)` before `trainer.train()`, and for a server the option
`--worker-extension-cls r1sdk.receipts.served.ReceiptWorker`.
"""

from .receipt_differences import Receipt, StaleSampler, TensorReceipt, differences
from .sampler_watch import SamplerWatch, watch_sampler

__all__ = ["Receipt", "SamplerWatch", "StaleSampler", "TensorReceipt", "differences", "watch_sampler"]
