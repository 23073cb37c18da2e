"""Types of fields that several groups of params.yaml use."""

from typing import Annotated

from pydantic import Field, StrictInt

Positive = Annotated[int, Field(ge=1)]
# of a cell's name, in which DVC writes what stands in params.yaml: 5e1 would be another cell than 50
Steps = Annotated[StrictInt, Field(ge=1)]
Seed = Annotated[StrictInt, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]  # of a file, and a word of a command
Fraction = Annotated[float, Field(ge=0, lt=1)]
