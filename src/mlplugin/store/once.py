"""A value that an object finds out when it is first asked for, and keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class Once(Generic[T]):
    """Makes a property of a method without arguments, for objects that one thread has.

    `functools.cached_property` of Python 3.11 holds a lock for all objects of a class while it
    finds a value out: a long question holds up all others, and two that need each other's values
    wait for ever.
    """

    def __init__(self, find: Callable[[Any], T]) -> None:
        """Take the method that finds it out."""
        self._find = find
        self.__doc__ = find.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        """Learn under which name it is kept."""
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T:
        """Find it out; the next time the object's own attribute is there before it is asked."""
        if instance is None:
            return self
        found = self._find(instance)
        instance.__dict__[self._name] = found
        return found
