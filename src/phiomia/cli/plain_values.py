"""Takes words and numbers from the command line as they are.

Typer lets Pydantic convert every value, and loading Pydantic takes longer than most commands. It is left to what
has to be converted.
"""

from typing import Any

from typer import core
from typer._coercion import RuntimeParam, TypeDescriptor, build_runtime_param

_PLAIN = (str, bool, int, float)


class _AsItIs(RuntimeParam):
    """Converts what is not yet of its type."""

    def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:
        if type(value) is self.annotation and self.annotation in _PLAIN and self.parameter_info.parser is None:
            return value
        return build_runtime_param(param.type_descriptor)._coerce_value(value, param=param, ctx=ctx)


def _make(descriptor: TypeDescriptor) -> RuntimeParam:
    return _AsItIs(descriptor.parameter_info, descriptor.annotation)


def take_plain_values() -> None:
    """Makes Typer do without Pydantic where it can."""
    core.build_runtime_param = _make  # type: ignore[attr-defined]
