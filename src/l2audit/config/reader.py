"""Reading YAML strictly: plain mappings, lists, texts and numbers, each with its line; all else is a fault."""

from __future__ import annotations

import contextlib
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from l2audit.config.faults import ConfigError, Fault, Key, key_text
from l2audit.registry import nearest

DEEPEST = 50
"""Levels of lists and mappings within each other; the files of this project need seven."""
MOST_VALUES = 100_000
"""Values of a document once its aliases are followed: a few lines of aliases can stand for billions."""
ROOT_OF_TAGS = "tag:yaml.org,2002:"
PLAIN_TAGS = {ROOT_OF_TAGS + name for name in ("bool", "float", "int", "map", "null", "seq", "str")}
MERGE = f"{ROOT_OF_TAGS}merge"
TOO_DEEP = f"is nested deeper than {DEEPEST} levels", "write it flatter"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """As YAML 1.1 reads scalars, but a date is text: no key wants one."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - so declared by PyYAML
        first: [(tag, form) for tag, form in resolvers if not tag.endswith((":timestamp", ":value"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


if yaml.__with_libyaml__:

    class _Quick(yaml.composer.Composer, yaml.cyaml.CParser, yaml.resolver.Resolver):  # type: ignore[misc]
        """As `_Loader`, three times as fast: libyaml reads, and Python makes the nodes.

        Not libyaml's own nodes: lists within lists without end would end the process.
        """

        yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers

        def __init__(self, stream: str) -> None:
            yaml.cyaml.CParser.__init__(self, stream)
            yaml.composer.Composer.__init__(self)
            yaml.resolver.Resolver.__init__(self)


@dataclass(frozen=True)
class Document:
    """A YAML file: its `data` (mappings, lists and scalars), the name to print for it, the line of every key path.

    files: of a table whose entries may have files of their own, the first keys of these and their files' names.
    """

    file: str
    data: Any
    lines: dict[Key, int]
    files: Mapping[str, str] = field(default_factory=dict)

    def fault(self, key: Key, problem: str, fix: str) -> Fault:
        """A fault at `key`, with its file and the line of the nearest enclosing key that has one."""
        known = key
        while known and known not in self.lines:
            known = known[:-1]
        file = self.files.get(str(key[0]), self.file) if key else self.file
        return Fault(file, self.lines.get(known, 1), key_text(key), problem, fix)

    def unknown(self, key: Key, names: Iterable[str], known: Iterable[str], what: str) -> list[Fault]:
        """A fault for each of the list `names` at `key` that is not in `known`."""
        allowed = set(known)
        return [
            self.fault((*key, index), f"unknown {what} '{name}'", nearest(name, allowed))
            for index, name in enumerate(names)
            if name not in allowed
        ]

    def repeated(self, key: Key, entries: Sequence[Mapping[str, Any]], name: str, problem: str) -> list[Fault]:
        """A fault for each of the list `entries` at `key` whose value of `name` an earlier one has."""
        values = [entry[name] for entry in entries]
        return [
            self.fault((*key, index, name), f"'{value}' {problem}", "rename one of the two")
            for index, value in enumerate(values)
            if value in values[:index]
        ]


def shown(path: Path) -> str:
    """`path` as a user would type it: relative to the working folder when it lies in it."""
    resolved, here = path.resolve(), Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(path)


def read(path: Path) -> Document:
    """Read one YAML file. ConfigError: it cannot be read, is not YAML, or says what none can (every such place)."""
    file = shown(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        fix = "check the name and the folder; the files that come with the project are in config/"
        raise ConfigError([Fault(file, 0, "", f"cannot be read ({error.strerror})", fix)]) from None
    except UnicodeDecodeError:
        raise ConfigError([Fault(file, 0, "", "is not UTF-8 text", "save it as UTF-8")]) from None
    try:
        root = _composed(text)
    except RecursionError:
        raise ConfigError([Fault(file, 0, "", *TOO_DEEP)]) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter two: an escape that is no character
        mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
        line = mark.line + 1 if mark else 0 if position is None else text.count("\n", 0, position) + 1
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        fix = "correct the indentation, colon, quote or bracket there; indent with spaces, not tabs"
        raise ConfigError([Fault(file, line, "", f"is not valid YAML: {problem}", fix)]) from None
    if root is None:
        raise ConfigError([Fault(file, 0, "", "is empty", "fill it in, or restore it with git")])
    reading = _Reading(Document(file, None, {(): 1}))
    data = reading.value(root, ())
    if reading.faults:
        raise ConfigError(reading.faults)
    return Document(file, data, reading.document.lines)


def _composed(text: str) -> yaml.Node | None:
    """The nodes of a document; the errors are those of PyYAML, with or without libyaml."""
    if yaml.__with_libyaml__:
        with contextlib.suppress(yaml.YAMLError, ValueError, OverflowError):
            return yaml.compose(text, Loader=_Quick)
    return yaml.compose(text, Loader=_Loader)


@dataclass
class _Reading:
    """The nodes of one document on their way to values: what is wrong, and what lies around the node at hand."""

    document: Document
    faults: list[Fault] = field(default_factory=list)
    around: list[yaml.Node] = field(default_factory=list)
    count: int = 0
    loader: yaml.SafeLoader = field(default_factory=lambda: _Loader(""))

    def value(self, node: yaml.Node, key: Key) -> Any:
        """What `node` stands for; None, and a fault, where that is nothing a configuration can say."""
        self.count += 1
        if self.count > MOST_VALUES:
            problem, fix = f"stands for more than {MOST_VALUES} values", "use fewer aliases (`*name`)"
            raise ConfigError([*self.faults, Fault(self.document.file, 0, "", problem, fix)])
        if node in self.around:
            return self._refuse(key, "holds itself", "write its values out instead of the alias")
        if len(self.around) >= DEEPEST:
            return self._refuse(key, *TOO_DEEP)
        if node.tag not in PLAIN_TAGS | {MERGE}:
            tag = node.tag.replace(ROOT_OF_TAGS, "!!")
            return self._refuse(key, f"the tag {tag} is not read", "remove the tag and write plain text or a number")
        if isinstance(node, yaml.ScalarNode):
            if unprintable := _unprintable(node.value):
                return self._refuse(key, f"holds a character that cannot be printed, {unprintable}", "remove it")
            try:
                value = self.loader.construct_object(node)
                finite = not isinstance(value, int | float) or math.isfinite(value)
            except (yaml.YAMLError, ValueError, KeyError):
                return self._refuse(key, f"'{node.value}' cannot be read", "write a plain number or text")
            except OverflowError:  # a whole number beyond every float
                finite = False
            if not finite:
                return self._refuse(key, f"{node.value} is not a finite number", "write a finite number")
            return value
        self.around.append(node)
        if isinstance(node, yaml.SequenceNode):
            value = []
            for index, child in enumerate(node.value):
                self.document.lines[(*key, index)] = child.start_mark.line + 1
                value.append(self.value(child, (*key, index)))
        else:
            value = self._mapping(node, key)
        self.around.pop()
        return value

    def _refuse(self, key: Key, problem: str, fix: str) -> None:
        self.faults.append(self.document.fault(key, problem, fix))

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name_node, child in node.value:
            line, plain = name_node.start_mark.line + 1, isinstance(name_node, yaml.ScalarNode)
            self.document.lines.setdefault(key, line)
            name = str(name_node.value)
            path = (*key, name)
            if name_node.tag == MERGE:
                problem = "merge keys are not read", "write out the keys that it merges"
            elif not plain or name_node.tag not in PLAIN_TAGS:
                problem = "a key must be plain text", "write `name: value`"
            elif unprintable := _unprintable(name_node.value):
                problem = f"holds a character that cannot be printed, {unprintable}", "remove it"
            elif name in data:
                problem = "is given twice", f"keep one of them (the other is on line {self.document.lines[path]})"
            else:
                self.document.lines[path] = line
                data[name] = None  # given, whatever becomes of its value
                data[name] = self.value(child, path)
                continue
            self.faults.append(Fault(self.document.file, line, key_text(path if plain else key), *problem))
        return data


def _unprintable(text: str) -> str:
    """The first control character or half of a character in `text`, as U+0000; "" if there are no such characters."""
    found = (one for one in text if unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t")
    return next((f"U+{ord(one):04X}" for one in found), "")
