"""What every table of a policy file has in common."""

from pydantic import BaseModel, ConfigDict

__all__ = ["PolicyTable"]


class PolicyTable(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
