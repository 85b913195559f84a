"""Turn functions into tools: describe them to the model, and check the arguments of its calls.

The description is plain text in the prompt, so that it works with any chat template and is the same for every backend.
"""

import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union

from ..errors import PluginError
from ..plugins.guard import call
from ..records import Message

CALL, CALL_END = "<tool_call>", "</tool_call>"
RESPONSE, RESPONSE_END = "<tool_response>", "</tool_response>"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call."""

    function: Callable[..., Any]
    name: str
    description: str
    parameters: Mapping[str, Any]  # a JSON schema of an object

    @property
    def schema(self) -> dict[str, Any]:
        return {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}

    def argument_problem(self, arguments: Mapping[str, Any]) -> str | None:
        """Return the first problem with `arguments`, or None if they fit."""
        properties = self.parameters["properties"]
        if unknown := [name for name in arguments if name not in properties]:
            return f"{self.name} has no argument {unknown[0][:40]!r}; it takes {', '.join(properties) or 'none'}"
        if missing := [name for name in self.parameters["required"] if name not in arguments]:
            return f"{self.name} needs the argument {missing[0]!r}"
        for name, value in arguments.items():
            if not _fits(properties[name], value):
                wanted = properties[name].get("enum") or properties[name].get("type")
                return f"the argument {name!r} of {self.name} must be {wanted}, got {value!r:.60}"
        return None


def tool_of(function: Callable[..., Any]) -> Tool:
    """Make a tool of `function` from its name, docstring and annotated parameters.

    The first paragraph of the docstring describes the tool; lines `name: ...` under `Args:` describe its parameters.
    Raises: PluginError.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if not _NAME.fullmatch(name):
        raise PluginError(f"tool {name!r} must be a function with a name of letters, digits and _")
    text = inspect.getdoc(function) or ""
    summary = " ".join(text.partition("\n\n")[0].split())
    if not summary:
        raise PluginError(f"tool {name!r} needs a docstring: the model reads it")
    descriptions = _parameter_descriptions(text)
    try:
        hints = typing.get_type_hints(function)
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError, NameError) as error:
        raise PluginError(f"tool {name!r}: its parameters cannot be read: {error}") from None
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise PluginError(
                f"tool {name!r}: a call must be able to name parameter {parameter.name!r}: no *args or **kwargs"
            )
        try:
            schema = _schema(hints.get(parameter.name))
        except TypeError as error:
            raise PluginError(f"tool {name!r}: parameter {parameter.name!r} {error}") from None
        properties[parameter.name] = {
            **schema,
            **({"description": descriptions[parameter.name]} if parameter.name in descriptions else {}),
        }
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    return Tool(function, name, summary, {"type": "object", "properties": properties, "required": required})


def tools_of(functions: Sequence[Callable[..., Any]]) -> dict[str, Tool]:
    """Return the tools by name. Raises: PluginError."""
    found: dict[str, Tool] = {}
    for function in functions:
        tool = tool_of(function)
        if tool.name in found:
            raise PluginError(f"two tools are called {tool.name!r}")
        found[tool.name] = tool
    return found


def session_tools(session: Any) -> dict[str, Tool]:
    """Return the tools of a session by name; reading them may run its code. Raises: PluginError."""
    return tools_of(call(f"{type(session).__name__}.tools", getattr, session, "tools", ()))


def describe_tools(functions: Sequence[Callable[..., Any]], brief: bool = False) -> str:
    """Return the text that tells a model about these tools and how to call them. Raises: PluginError.

    A parameter must be a str, int, float, bool, list or dict, a Literal of texts, or one of these with a default of None.
    `brief`: names and parameters in place of JSON schemas, for a small model with a short context.
    """
    tools = list(tools_of(functions).values())
    if brief:
        names = "\n".join(f"{tool.name}({', '.join(tool.parameters['properties'])})" for tool in tools)
        return f"Tools:\n{names}\n{CALL}\n{_example(tools[0])}\n{CALL_END}"
    lines = "\n".join(json.dumps(tool.schema, ensure_ascii=False) for tool in tools)
    example = _example(tools[0])
    return (
        f"You can call these tools, each described by one line of JSON:\n{lines}\n"
        f"To call one, end your turn with\n{CALL}\n{example}\n{CALL_END}\n"
        f"What it returns comes back inside {RESPONSE} and {RESPONSE_END}. A turn without a call is your last: give your answer in it."
    )


def _example(tool: Tool) -> str:
    return json.dumps({"name": tool.name, "arguments": {name: "..." for name in tool.parameters["required"]}})


def with_tools(
    prompt: Sequence[Message], functions: Sequence[Callable[..., Any]], brief: bool = False
) -> list[Message]:
    """Return `prompt` with the tools described in its system message, which is added if missing. Raises: PluginError.

    `brief`: as in `describe_tools`.
    """
    description = describe_tools(functions, brief)
    if prompt and prompt[0]["role"] == "system":
        return [{**prompt[0], "content": f"{prompt[0]['content']}\n\n{description}"}, *prompt[1:]]
    return [{"role": "system", "content": description}, *prompt]


def as_chat(messages: Sequence[Message]) -> list[Message]:
    """Return messages that any chat template and server accepts: consecutive tool results become one user turn."""
    found: list[Message] = []
    for message in messages:
        if message["role"] != "tool":
            found.append({"role": message["role"], "content": message["content"]})
            continue
        text = f"{RESPONSE}\n{message['content']}\n{RESPONSE_END}"
        if found and found[-1].get("returned"):
            found[-1]["content"] += f"\n{text}"
        else:
            found.append({"role": "user", "content": text, "returned": True})
    return [{"role": message["role"], "content": message["content"]} for message in found]


def _schema(hint: Any) -> dict[str, Any]:
    """Return the JSON schema of an annotation. Raises: TypeError."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        left = [kind for kind in inner if kind is not type(None)]
        if len(left) == 1:
            return _schema(left[0])
    if origin is Literal and all(isinstance(value, str) for value in inner):
        return {"type": "string", "enum": list(inner)}
    if origin is list and len(inner) == 1:
        return {"type": "array", "items": _schema(inner[0])}
    kind = origin or hint
    if kind in _KINDS:
        return {"type": _KINDS[kind]}
    raise TypeError(f"must be annotated as one of {', '.join(k.__name__ for k in _KINDS)}, got {hint!r}")


def _fits(schema: Mapping[str, Any], value: Any) -> bool:
    if isinstance(value, bool) and schema["type"] != "boolean":
        return False
    if not isinstance(value, _TYPES[schema["type"]]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    return "items" not in schema or (isinstance(value, list) and all(_fits(schema["items"], item) for item in value))


def _parameter_descriptions(doc: str) -> dict[str, str]:
    """Return the descriptions in the lines `name: ...` under `Args:`."""
    _, _, rest = doc.partition("Args:\n")
    found = re.findall(r"^[ \t]+(\w+)(?: \([^)\n]*\))?:[ \t]*(.+)$", rest.partition("\n\n")[0], re.MULTILINE)
    return {name: text.strip() for name, text in found}
