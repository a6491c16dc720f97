"""What is wrong with a setting, in words for whoever wrote it: which one, where it stands, and what it can be."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import inspect

Place = tuple[str, ...]
# How the names of settings end that nobody is to read over somebody's shoulder.
SECRETS: Final = ("password", "key")
_WHERE: Final = re.compile(r"(?P<words>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_KEY: Final = re.compile(r"\.(\w+)")
_UNKNOWN: Final = re.compile(r"unknown field `(?P<name>.*)`")


def explain_fault(
    error: msgspec.ValidationError, tree: Mapping[str, Any], root: type, origins: Mapping[Place, str], file: str
) -> str:
    """The error of a conversion to `root` as one paragraph; `origins` names the variables that set something."""
    found = _WHERE.fullmatch(str(error))
    words, path = (found["words"], found["path"]) if found else (str(error), None)
    place = tuple(_KEY.findall(path or ""))
    if unknown := _UNKNOWN.search(words):
        return f"{file}: {_explain_unknown((*place, unknown['name']), root)}"
    if not place:
        return f"{file}: {words}."
    name = ".".join(place)
    kind = _kind(root, place)
    if isinstance(kind, inspect.StructType):
        return f"{file}: {name} is a section: write its settings below a line [{name}]."
    value = "no text" if place[-1].endswith(SECRETS) else repr(_find(tree, place))
    return f"{origins.get(place, file)}: {name} is {value}; it must be {_describe(kind)}."


def suggest(wrong: str, names: Iterable[str]) -> str:
    """ " Did you mean …?" with the name that looks most like the wrong one; nothing when none does."""
    close = difflib.get_close_matches(wrong, names, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def name_sections(root: type) -> dict[str, list[str]]:
    """The names of all settings by section; "" holds those that stand above all sections."""
    sections: dict[str, list[str]] = {"": []}
    for item in msgspec.structs.fields(root):
        if isinstance(item.type, type) and issubclass(item.type, msgspec.Struct):
            sections[item.name] = [inner.name for inner in msgspec.structs.fields(item.type)]
        else:
            sections[""].append(item.name)
    return sections


def _explain_unknown(place: Place, root: type) -> str:
    *above, name = place
    sections = name_sections(root)
    here = sections[above[0] if above else ""]
    where = f" in [{above[0]}]" if above else ""
    homes = [f"[{section}]" for section, names in sections.items() if section and name in names]
    if not above and homes:
        return f"{name} belongs below {' or '.join(homes)}, not above all sections."
    names = here if above else [*here, *filter(None, sections)]
    hint = suggest(name, names) or f" There are: {', '.join(names)}."
    return f"{name}{where} is not a setting.{hint}"


def _find(tree: Any, place: Place) -> Any:
    for key in place:
        if not isinstance(tree, Mapping):
            return tree
        tree = tree.get(key)
    return tree


def _kind(root: type, place: Place) -> inspect.Type:
    kind: Any = root
    for key in place:
        kind = next(item.type for item in msgspec.structs.fields(kind) if item.name == key)
    return inspect.type_info(kind)


def _describe(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata():
            return _describe(kind.type)
        case inspect.LiteralType():
            return " or ".join(repr(value) for value in kind.values)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number{_describe_range(kind)}"
        case inspect.FloatType():
            return f"a number{_describe_range(kind)}"
        case inspect.TupleType():
            return "two whole numbers, [requests, seconds]"
        case inspect.ListType():
            return "a list of texts"
        case _:
            return "a text"


def _describe_range(kind: inspect.IntType | inspect.FloatType) -> str:
    bounds = (("at least", kind.ge), ("above", kind.gt), ("at most", kind.le))
    said = " and ".join(f"{word} {bound}" for word, bound in bounds if bound is not None)
    return f", {said}" if said else ""
