"""The base class of the tables of a policy file."""

from pydantic import BaseModel, ConfigDict

__all__ = ["PolicyTable"]


class PolicyTable(BaseModel):
    """One table of a policy file."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
