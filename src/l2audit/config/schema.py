"""Checking a document against its JSON Schema, with messages that a person can act on."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from l2audit.config.faults import ConfigError, Fault, Key
from l2audit.config.reader import Document, read
from l2audit.errors import one_line
from l2audit.files import sha256_of
from l2audit.registry import nearest
from l2audit.seeds import canonical

TYPE_NAMES = {
    "number": "a number",
    "integer": "a whole number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys to values",
    "null": "nothing",
}
LONGEST = 8
"""Digits before or behind the point up to which a number is readable without an exponent."""
EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")

BOUNDS = {
    "minimum": "of at least",
    "maximum": "of at most",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
}
Translated = tuple[Key, str, str]


def _fits_pattern(validator: object, pattern: str, value: object, schema: object) -> Iterator[ValidationError]:
    """As JSON Schema has it, but `$` is the end of the text, never a line break before the end."""
    if isinstance(value, str) and not re.search(pattern.replace("$", r"\Z"), value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


Validator = validators.extend(
    Draft202012Validator,
    {"pattern": _fits_pattern},
    # 3.0 is no whole number here, as it is to JSON Schema: code that counts with it wants an `int`
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema `name` (study, datasets, architectures, contaminations, claims) as shipped with the package."""
    text = resources.files("l2audit").joinpath("schemas", f"{name}.schema.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    Draft202012Validator.check_schema(loaded)
    return loaded


def schema_faults(document: Document, name: str) -> list[Fault]:
    """Every place where `document` departs from the schema `name`."""
    return [document.fault(*one) for one in departures(document, name)]


def checked(
    source: str | Path | Document, name: str, *checks: Callable[[Document], Iterable[Fault]]
) -> tuple[Any, str]:
    """The values of a file that fits the schema `name` and in which `checks` find nothing, and its SHA-256.

    Of a Document, which was read already, the SHA-256 is that of its canonical JSON. ConfigError: lists every fault.
    """
    document = source if isinstance(source, Document) else read(Path(source))
    faults = schema_faults(document, name) or [fault for check in checks for fault in check(document)]
    if faults:
        raise ConfigError(faults)
    if isinstance(source, Document):
        return document.data, hashlib.sha256(canonical(document.data).encode()).hexdigest()
    return document.data, sha256_of(source)


def departures(document: Document, name: str) -> list[Translated]:
    """As `schema_faults`: the key, what is wrong there and the fix."""
    errors = Validator(schema(name)).iter_errors(document.data)
    return [one for error in errors for one in _translate(error)]


def _translate(error: ValidationError) -> Iterator[Translated]:
    if error.context:  # anyOf, oneOf: the branch that goes deepest is what the author meant
        deepest = max(error.context, key=lambda inner: (len(inner.absolute_path), inner.validator != "type"))
        yield from _translate(deepest)
        return
    key: Key = tuple(error.absolute_path)
    value, wanted = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known, patterns = (error.schema.get(one, {}) for one in ("properties", "patternProperties"))
            for name in value:
                if name in known or any(re.search(pattern, name) for pattern in patterns):
                    continue
                if patterns and not known:
                    joiner = "-" if any("-]" in pattern for pattern in patterns) else "_"
                    fix = f"use small letters, digits and `{joiner}`, for example `{well_formed(name, joiner)}`"
                    yield (*key, name), "this name is not allowed", fix
                else:
                    yield (*key, name), "unknown key", nearest(name, known)
        case "required":
            for name in wanted:
                if name not in value:
                    about = _description(error.schema.get("properties", {}).get(name, {}))
                    yield (*key, name), "this key is missing", f"add `{name}:`{about and ', ' + about}"
        case "type":
            wants = [wanted] if isinstance(wanted, str) else list(wanted)
            names = " or ".join(TYPE_NAMES[one] for one in wants)
            if isinstance(value, str) and EXPONENT.fullmatch(value) and {"number", "integer"} & set(wants):
                yield key, f"YAML reads '{value}' as text, and {names} is wanted", _as_number(value, wants)
            else:
                yield key, f"{_short(value)} where {names} is wanted", f"write {names}"
        case "enum":
            text = value if isinstance(value, str) else ""
            yield key, f"unknown value {_short(value).removesuffix(' (text)')}", nearest(text, map(str, wanted))
        case "uniqueItems":
            for index, item in enumerate(value):
                if item in value[:index]:
                    yield (*key, index), f"{_short(item)} is listed twice", "remove one of the two"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            yield key, f"{_short(value)} is out of range", f"write a value {BOUNDS[error.validator]} {wanted}"
        case "minItems" | "minProperties" | "minLength":
            least = "one entry" if wanted == 1 else f"{wanted} entries"
            yield key, "has too few entries" if value else "is empty", f"list at least {least}"
        case "pattern" if "propertyNames" in error.absolute_schema_path:
            fix = f"{_described(error).removeprefix('this key is: ')} For example `{well_formed(value, '_')}`"
            yield (*key, value), f"{_short(value)} is not of the right form", fix
        case "pattern":
            yield key, f"{_short(value)} is not of the right form", _described(error)
        case "not":
            yield key, f"this key {_description(error.schema)}", "remove this key"
        case _:
            yield key, error.message, _described(error)


def well_formed(name: str, joiner: str) -> str:
    """The name that is nearest to `name` of small letters, digits, `_`, `-` and, in place of all else, `joiner`."""
    words = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_-]+", joiner, words).strip("_-").lstrip("0123456789_-") or "mine"


def _description(schema: Any) -> str:
    return " ".join(schema.get("description", "").split()) if isinstance(schema, dict) else ""


def _described(error: ValidationError) -> str:
    about = _description(error.schema)
    return f"this key is: {about}" if about else "see docs/workflow.md"


def _as_number(text: str, wants: list[str]) -> str:
    """How to write a number that has an exponent, so that YAML reads it as that number."""
    number = Decimal(text)
    if not math.isfinite(float(number)):
        return "write a number that a computer can hold, below 1.8e+308"
    if not float(number) and number:
        return "write 0, or a number that a computer can hold, above 5e-324"
    forms = []
    if abs(number.adjusted()) <= LONGEST:
        forms.append(format(number.normalize(), "f"))
    if "number" in wants:
        digits, exponent = f"{number.normalize():e}".lower().split("e")
        forms.append(f"{digits if '.' in digits else digits + '.0'}e{int(exponent):+d}")
    elif number != number.to_integral_value() or not forms:
        return "write a whole number"
    return f"write {' or '.join(forms)}"


def _short(value: object) -> str:
    if isinstance(value, str):
        return f"'{one_line(value, 120)}' (text)"
    return {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value)) or one_line(
        json.dumps(value), 120
    )
