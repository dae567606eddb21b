"""Names to things: the one way in which this project is extended.

A dataset source, contamination kind, layer, loss, penalty, optimizer, measure or estimand is one small function or
class, registered by name. Looking a name up never falls through an if-chain, and an unknown name says what is known.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, ItemsView, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


def near(name: str, known: Iterable[str]) -> str:
    """The known name that is nearest to `name`, as a question; "" if none is near."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean '{found[0]}'?" if found else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """A fix for an unknown name: the nearest known one if any is near, else what is known."""
    names = sorted(known)
    return near(name, names) or f"use one of {', '.join(names) or 'none'}"


class UnknownName(KeyError):
    """A name that nothing was registered under; the message lists what was, the nearest first."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        super().__init__(name)
        hint = near(name, known)
        self.message = f"unknown {kind} '{name}': {hint}{hint and ' '}known are {', '.join(known) or 'none'}"

    def __str__(self) -> str:
        return self.message


class Registry(Generic[T]):
    """An ordered mapping from name to item of one kind.

    >>> losses = Registry[str]("loss")
    >>> _ = losses.add("squared", "half the squared residual")
    >>> losses["squared"]
    'half the squared residual'
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        """Register `item` under `name`; a name is taken once (ValueError)."""
        if name in self._items:
            raise ValueError(f"{self.kind} '{name}' is registered twice")
        self._items[name] = item
        return item

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator form of `add`."""
        return lambda item: self.add(name, item)

    def __getitem__(self, name: str) -> T:
        try:
            return self._items[name]
        except KeyError:
            raise UnknownName(self.kind, name, self.names()) from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def items(self) -> ItemsView[str, T]:
        """Names and items, in the order of registration."""
        return self._items.items()

    def __len__(self) -> int:
        return len(self._items)

    def names(self) -> list[str]:
        """The registered names, sorted."""
        return sorted(self._items)
