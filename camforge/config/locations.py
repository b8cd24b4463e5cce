"""Where each value of a config stands: a tree of places beside the tree of values, merged as the values are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from yaml import MappingNode, Node, ScalarNode, SequenceNode

Key = str | int
DELETE = "_delete_"  # mmengine: {"_delete_": True, …} replaces what a base file says instead of joining it


@dataclass(frozen=True)
class SourceLocation:
    """The place of one value and, inside it, of the values it holds.

    shape   what the value is written as; "other" holds nothing that could be told apart
    any_key the place of values under keys that only running the file would tell (comprehensions)
    """

    file: str
    line: int | None = None
    shape: str = "other"
    children: Mapping[Key, SourceLocation] = field(default_factory=dict)
    any_key: SourceLocation | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def child(self, key: Key) -> SourceLocation | None:
        return self.children.get(key, self.any_key)

    def find(self, path: Sequence[Key]) -> SourceLocation:
        """The place of the value at ``path``; of the nearest value around it where it is not written."""
        here = self
        for key in path:
            inner = here.child(key)
            if inner is None:
                return here
            here = inner
        return here

    def over(self, base: SourceLocation) -> SourceLocation:
        """The places after this config is merged into ``base``: dicts join, everything else replaces."""
        if self.shape != "dict" or base.shape != "dict" or DELETE in self.children:
            return self
        joined = dict(base.children)
        for key, location in self.children.items():
            joined[key] = location.over(joined[key]) if key in joined else location
        return replace(self, children=joined, any_key=self.any_key or base.any_key)

    def put(self, path: Sequence[Key], location: SourceLocation) -> SourceLocation:
        """The places after the value at ``path`` was set from elsewhere."""
        if not path:
            return location
        inner = self.child(path[0]) or replace(location, shape="dict", children={})
        shape = self.shape if self.shape != "other" else "dict"
        return replace(self, shape=shape, children={**self.children, path[0]: inner.put(path[1:], location)})

    def walk(self, path: tuple[Key, ...] = ()) -> Iterator[tuple[tuple[Key, ...], SourceLocation]]:
        """Every path with its place."""
        yield path, self
        for key, location in self.children.items():
            yield from location.walk((*path, key))


def yaml_location(node: Node, file: str) -> SourceLocation:
    """The places of a composed yaml (or json) document."""
    line = node.start_mark.line + 1
    if isinstance(node, MappingNode):
        pairs = [(key, value) for key, value in node.value if isinstance(key, ScalarNode)]
        children = {
            key.value: replace(yaml_location(value, file), line=key.start_mark.line + 1) for key, value in pairs
        }
        return SourceLocation(file, line, "dict", children)
    if isinstance(node, SequenceNode):
        return SourceLocation(file, line, "list", {i: yaml_location(item, file) for i, item in enumerate(node.value)})
    return SourceLocation(file, line)


def python_location(module: ast.Module, file: str, base: SourceLocation | None = None) -> SourceLocation:
    """The places of a python config's variables, read without running it."""
    reader = _Reader(file, {"_base_": base} if base else {})
    reader.statements(module.body)
    return SourceLocation(
        file, 1, "dict", {name: location for name, location in reader.names.items() if name != "_base_"}
    )


class _Reader:
    """Follows the assignments of a python config as far as reading alone can."""

    def __init__(self, file: str, names: dict[str, SourceLocation]) -> None:
        self.file, self.names = file, names

    def statements(self, body: Sequence[ast.stmt | ast.ExceptHandler]) -> None:
        for statement in body:
            match statement:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self.assign(target, self.location(value))
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self.assign(target, self.location(value))
                case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                    self.assign(target, self.location(ast.BinOp(ast.copy_location(ast.Name(name), target), op, value)))
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=target, attr="update")) as call):
                    self.assign(target, self.location(target), self.dict_call(call))
                case ast.For() | ast.While() | ast.If() | ast.With() | ast.Try() | ast.ExceptHandler():
                    inner = (n for n in ast.iter_child_nodes(statement) if isinstance(n, ast.stmt | ast.ExceptHandler))
                    self.statements(list(inner))

    def assign(self, target: ast.expr, location: SourceLocation, updates: SourceLocation | None = None) -> None:
        """Note ``target = location``, or ``target.update(updates)``; targets are names and subscripts of them."""
        path: list[Key] = []
        while isinstance(target, ast.Subscript | ast.Attribute):
            key = _key(target)
            if key is None:
                return
            path.insert(0, key)
            target = target.value
        if not isinstance(target, ast.Name):
            return
        if updates is not None:
            location = replace(location, shape="dict", children={**location.children, **updates.children})
        else:
            location = replace(location, line=target.lineno)
        whole = self.names.get(target.id, SourceLocation(self.file, target.lineno))
        self.names[target.id] = whole.put(path, location) if path else location

    def location(self, value: ast.expr) -> SourceLocation:
        """The places inside one expression."""
        match value:
            case ast.Dict():
                return self.dict_display(value)
            case ast.Call(func=ast.Name(id="dict")):
                return self.dict_call(value)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return self.list_display(value, items)
            case ast.Name(id=name) if name in self.names:
                return self.names[name]
            case ast.Subscript() | ast.Attribute():
                return self.member(value)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                first, second = self.location(left), self.location(right)
                return replace(first, shape="dict", children={**first.children, **second.children})
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.joined(value, [self.location(left), self.location(right)])
            case ast.DictComp(value=inner):
                return replace(self.here(value), shape="dict", any_key=self.location(inner))
            case ast.ListComp(elt=inner):
                return replace(self.here(value), shape="list", any_key=self.location(inner))
            case _:
                return self.here(value)

    def here(self, node: ast.expr | ast.keyword) -> SourceLocation:
        return SourceLocation(self.file, node.lineno)

    def dict_display(self, value: ast.Dict) -> SourceLocation:
        children: dict[Key, SourceLocation] = {}
        for key, item in zip(value.keys, value.values, strict=True):
            if key is None:  # {**other}
                children |= self.location(item).children
            elif isinstance(key, ast.Constant) and isinstance(key.value, str | int):
                children[key.value] = replace(self.location(item), file=self.file, line=key.lineno)
        return SourceLocation(self.file, value.lineno, "dict", children)

    def dict_call(self, call: ast.Call) -> SourceLocation:
        """The places inside ``dict(other, key=value, **more)``."""
        children: dict[Key, SourceLocation] = {}
        for other in call.args:
            children |= self.location(other).children
        for word in call.keywords:
            inner = self.location(word.value)
            children |= (
                inner.children if word.arg is None else {word.arg: replace(inner, file=self.file, line=word.lineno)}
            )
        return SourceLocation(self.file, call.lineno, "dict", children)

    def list_display(self, value: ast.expr, items: Sequence[ast.expr]) -> SourceLocation:
        parts = [
            self.location(item.value) if isinstance(item, ast.Starred)
            else SourceLocation(self.file, item.lineno, "list", {0: self.location(item)})
            for item in items
        ]  # fmt: skip
        return self.joined(value, parts)

    def joined(self, value: ast.expr, parts: Sequence[SourceLocation]) -> SourceLocation:
        """Lists behind one another."""
        if any(part.shape != "list" or part.any_key for part in parts):
            return self.here(value)
        items = [location for part in parts for _, location in sorted(part.children.items())]
        return SourceLocation(self.file, value.lineno, "list", dict(enumerate(items)))

    def member(self, value: ast.Subscript | ast.Attribute) -> SourceLocation:
        key, outer = _key(value), self.location(value.value)
        inner = outer.child(key) if key is not None else outer.any_key
        return inner or self.here(value)


def _key(node: ast.Subscript | ast.Attribute) -> Key | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    index = node.slice
    return index.value if isinstance(index, ast.Constant) and isinstance(index.value, str | int) else None
