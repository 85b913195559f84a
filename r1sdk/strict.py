"""The base of everything that a recipe holds: a key that is not known is an error, and nothing changes afterwards."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
