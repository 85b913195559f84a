"""The recipe's `generation.vllm`: how vLLM generates, by vLLM's own names."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .strict import Strict


class VllmSettings(Strict):
    """Read where the backend is vLLM. In mode server without `url`, r1sdk starts the server and ends it with the run."""

    mode: Literal["colocate", "server"] = "colocate"  # in the training processes, or in a server beside them
    url: str | None = None  # of a server that is there already: http://vllm-node:8000
    tensor_parallel_size: Annotated[int, Field(ge=1)] = 1  # GPUs that share out one copy of the model
    data_parallel_size: Annotated[int, Field(ge=1)] = 1  # copies, of a server that r1sdk starts
    gpu_memory_utilization: Annotated[float | None, Field(gt=0.0, le=1.0)] = (
        None  # None: 0.3 beside a trainer (TRL's), else 0.9; 0.3 of the memory on a CPU
    )
    max_model_len: Annotated[int | None, Field(ge=1)] = None  # tokens of prompt and completion; None: the model's
    serve: dict[str, str | int | float | bool] = Field(
        default_factory=dict
    )  # more options of `vllm serve`, for a server that r1sdk starts: {max-num-seqs: 256}
    start_timeout_s: Annotated[float, Field(gt=0.0)] = 600.0  # until a server answers
    request_timeout_s: Annotated[float, Field(gt=0.0)] = 3600.0  # of one request to it: a batch of completions
    lost_after_s: Annotated[float, Field(ge=1.0)] = 120.0  # in which a server never says that it is well

    @model_validator(mode="before")
    @classmethod
    def _a_url_is_of_a_server(cls, value: Any) -> Any:
        given = isinstance(value, dict) and value.get("url") is not None
        return {"mode": "server", **value} if given else value

    @property
    def starts_server(self) -> bool:
        """Whether r1sdk starts the server."""
        return self.mode == "server" and self.url is None

    @property
    def own_gpus(self) -> int:
        """The GPUs that the processes which train must leave to a server on their machine."""
        return self.tensor_parallel_size * self.data_parallel_size if self.starts_server else 0
