"""Griffe extension: functions of the Python interface with the arguments that their decorator documents."""

from importlib import import_module
from inspect import Parameter as Argument
from inspect import formatannotation, getdoc, signature
from typing import Any

from griffe import Docstring, Extension, Function, Parameter, ParameterKind, Parameters

KINDS = {
    Argument.POSITIONAL_ONLY: ParameterKind.positional_only,
    Argument.POSITIONAL_OR_KEYWORD: ParameterKind.positional_or_keyword,
    Argument.VAR_POSITIONAL: ParameterKind.var_positional,
    Argument.KEYWORD_ONLY: ParameterKind.keyword_only,
    Argument.VAR_KEYWORD: ParameterKind.var_keyword,
}


class RuntimeArguments(Extension):
    """Takes signature and docstring of the functions of `jobs.api` that take `**given` from Python itself."""

    def on_function(self, *, func: Function, **_: Any) -> None:
        """A function has been read from its source."""
        if not func.path.startswith("jobs.api.") or "given" not in {one.name for one in func.parameters}:
            return
        found: Any = getattr(import_module(func.module.path), func.name, None)
        if found is None or not hasattr(found, "__signature__"):
            return
        func.docstring = Docstring(getdoc(found) or "", parent=func)
        known = {one.name: one for one in func.parameters}
        func.parameters = Parameters(
            *(known.get(name) or _parameter(one) for name, one in signature(found).parameters.items())
        )


def _parameter(one: Argument) -> Parameter:
    default = None if one.default is Argument.empty else repr(one.default)
    return Parameter(
        one.name, annotation=formatannotation(one.annotation), kind=KINDS[one.kind], default=default
    )
