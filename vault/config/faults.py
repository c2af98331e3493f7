"""Say in plain words, with line and key, what a model found wrong with a document.

Rule 1: an unknown key comes with the nearest known one; the known ones are read off the models.
Rule 2: the value that was found is not shown, but for what our own validators let through.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vault.config.fields import Model, Unlawful
from vault.config.nodes import Document, Loc
from vault.config.problems import ConfigProblems, Problem, suggest

M = TypeVar("M", bound=Model)

_A_MAPPING = "must be a mapping (KEY: VALUE lines)"
_WORDS: Mapping[str, str] = {
    "missing": "the key is missing",
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "is not written as it must be",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": _A_MAPPING,
    "model_type": _A_MAPPING,
    "model_attributes_type": _A_MAPPING,
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def validate(model: type[M], document: Document, *, folder: str) -> M:
    """Make a model of a document; raises ConfigProblems with every problem in it."""
    empty = list(_without_value(document, document.data, ()))
    if not isinstance(document.data, Mapping):
        raise ConfigProblems([document.problem((), _A_MAPPING)])
    try:
        made = model.model_validate(document.data, context={"folder": folder})
    except ValidationError as error:
        found = [
            _problem(model, document, fault)
            for fault in error.errors(include_url=False, include_input=False)
            if document_value(document.data, fault["loc"]) is not None or fault["type"] == "missing"
        ]
        raise ConfigProblems(_in_order(empty + found)) from None
    if empty:
        raise ConfigProblems(empty)
    return made


def document_value(data: object, loc: Loc) -> object:
    """Give what stands at a place, or a placeholder where the place is not in the data."""
    for part in loc:
        try:
            data = data[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return ...
    return data


def _without_value(document: Document, data: object, loc: Loc) -> list[Problem]:
    """Find keys with nothing behind them: ``window:`` alone must not mean "no window"."""
    if data is None:
        return [document.problem(loc, "has no value; give it one or leave the key out")]
    items: list[tuple[str | int, object]] = []
    if isinstance(data, Mapping):
        items = list(data.items())
    elif isinstance(data, list):
        items = list(enumerate(data))
    return [
        problem for key, value in items for problem in _without_value(document, value, (*loc, key))
    ]


def _problem(model: type[Model], document: Document, fault: ErrorDetails) -> Problem:
    """Translate one fault of pydantic's."""
    loc: Loc = tuple(part for part in fault["loc"] if part != "[key]")
    context: dict[str, Any] = fault.get("ctx", {})
    if fault["type"] == "extra_forbidden":
        known = known_keys(model, loc[:-1])
        return document.problem(loc, "unknown key; {near}", near=suggest(str(loc[-1]), known))
    if isinstance(error := context.get("error"), Unlawful):
        return document.problem(loc, error.template, **error.values)
    template = _WORDS.get(fault["type"], "is not lawful ({fault})")
    return document.problem(loc, template, **context, fault=fault["type"])


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line or 0)


def known_keys(model: type[Model], loc: Loc) -> list[str]:
    """Give the keys that are lawful at a place of a document."""
    at: object = model
    for part in loc:
        at = _below(at, part)
    found = _model_in(at)
    return [] if found is None else list(keys_of(found))


def keys_of(model: type[Model]) -> dict[str, Any]:
    """Give the keys of a model as they are written, with their fields."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def walk(model: type[Model], visit: Callable[[type[Model], str, Any], None]) -> None:
    """Visit every key of a model and of the models below it, once each."""
    seen: set[type[Model]] = set()
    waiting = [model]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for key, field in keys_of(current).items():
            visit(current, key, field)
            for part in _flat(field.annotation):
                below = _model_in(part)
                if below is not None:
                    waiting.append(below)


def _flat(annotation: object) -> list[object]:
    """Take apart unions, annotations and the values of mappings and tuples."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _flat(get_args(annotation)[0])
    if origin in (Union, types.UnionType, tuple):
        return [part for arg in get_args(annotation) for part in _flat(arg)]
    if origin is dict:
        return _flat(get_args(annotation)[1])
    return [annotation]


def _model_in(annotation: object) -> type[Model] | None:
    for part in _flat(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel) and issubclass(part, Model):
            return part
    return None


def _below(annotation: object, part: str | int) -> object:
    """Give the annotation one key further down."""
    for candidate in [annotation] if get_origin(annotation) else _flat(annotation):
        if get_origin(candidate) is dict:
            return get_args(candidate)[1]
        found = _model_in(candidate)
        if found is not None:
            field = keys_of(found).get(str(part))
            return None if field is None else field.annotation
    return None
