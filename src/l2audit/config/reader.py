"""Reading YAML strictly: duplicate keys are faults, and every value remembers the line it stands on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from l2audit.config.faults import ConfigError, Fault, Key, key_text


@dataclass(frozen=True)
class Document:
    """A YAML file: its `data` (mappings, lists and scalars), the name to print for it, the line of every key path."""

    file: str
    data: Any
    lines: dict[Key, int]

    def fault(self, key: Key, problem: str, fix: str) -> Fault:
        """A fault at `key`, with the line of the nearest enclosing key that has one."""
        known = key
        while known and known not in self.lines:
            known = known[:-1]
        return Fault(self.file, self.lines.get(known, 1), key_text(key), problem, fix)


def shown(path: Path) -> str:
    """`path` as a user would type it: relative to the working folder when it lies in it."""
    resolved, here = path.resolve(), Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(path)


def read(path: Path) -> Document:
    """Read one YAML file. ConfigError: it cannot be read, is not YAML, or repeats a key (all repeats are listed)."""
    file = shown(path)
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        fix = "check the name and the folder; the files that come with the project are in config/"
        raise ConfigError([Fault(file, 0, "", f"cannot be read ({error.strerror})", fix)]) from None
    except UnicodeDecodeError:
        raise ConfigError([Fault(file, 0, "", "is not UTF-8 text", "save it as UTF-8")]) from None
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_fault(file, error)]) from None
    if root is None:
        raise ConfigError([Fault(file, 0, "", "is empty", "fill it in, or restore it with git")])
    document = Document(file, None, {(): 1})
    faults: list[Fault] = []
    data = _value(root, (), document, faults, yaml.SafeLoader(""))
    if faults:
        raise ConfigError(faults)
    return Document(file, data, document.lines)


def _syntax_fault(file: str, error: yaml.YAMLError) -> Fault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    fix = "correct the indentation, colon, quote or bracket there; indent with spaces, not tabs"
    return Fault(file, mark.line + 1 if mark else 0, "", f"is not valid YAML: {problem}", fix)


def _value(node: yaml.Node, key: Key, document: Document, faults: list[Fault], loader: yaml.SafeLoader) -> Any:
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, child in enumerate(node.value):
            document.lines[(*key, index)] = child.start_mark.line + 1
            items.append(_value(child, (*key, index), document, faults, loader))
        return items
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, key, document, faults, loader)
    try:
        value = loader.construct_object(node)
    except (yaml.YAMLError, ValueError):
        faults.append(document.fault(key, f"'{node.value}' cannot be read", "write a plain number or text"))
        return None
    if isinstance(value, float) and not math.isfinite(value):
        faults.append(document.fault(key, f"{node.value} is not a finite number", "write a finite number"))
    return value


def _mapping(
    node: yaml.MappingNode, key: Key, document: Document, faults: list[Fault], loader: yaml.SafeLoader
) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name_node, child in node.value:
        name, line = str(name_node.value), name_node.start_mark.line + 1
        path = (*key, name)
        if name in data:
            fix = f"keep one of them (the other is on line {document.lines[path]})"
            faults.append(Fault(document.file, line, key_text(path), "is given twice", fix))
            continue
        document.lines[path] = line
        data[name] = _value(child, path, document, faults, loader)
    return data
