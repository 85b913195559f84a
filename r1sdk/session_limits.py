"""The recipe's key `sessions`: what one attempt of several turns may take."""

from typing import Annotated

from pydantic import Field

from .strict import Strict


class SessionLimits(Strict):
    """Bounds on one attempt in an environment with sessions. All its tokens together: `generation.max_tokens`."""

    turns: Annotated[int, Field(ge=1)] = 16  # of the model
    calls: Annotated[int, Field(ge=0)] = 32  # of tools; further ones are told that there are no more
    timeout_s: Annotated[float, Field(gt=0.0, le=3600.0)] = 10.0  # of one call of a tool
    output_chars: Annotated[int, Field(ge=16)] = 4000  # of what one call returns, or the environment says at a time
