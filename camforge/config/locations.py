"""Where each value of a config stands: a tree of places beside the tree of values, merged as the values are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from yaml import MappingNode, Node, ScalarNode, SequenceNode

Key = str | int
DELETE = "_delete_"  # mmengine: {"_delete_": True, …} replaces what a base file says instead of joining it


@dataclass(frozen=True)
class Spot:
    """The place of one value and, inside it, of the values it holds.

    shape   what the value is written as; "other" holds nothing that could be told apart
    any_key the place of values under keys that only running the file would tell (comprehensions)
    """

    file: str
    line: int | None = None
    shape: str = "other"
    children: Mapping[Key, Spot] = field(default_factory=dict)
    any_key: Spot | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def child(self, key: Key) -> Spot | None:
        return self.children.get(key, self.any_key)

    def find(self, path: Sequence[Key]) -> Spot:
        """The place of the value at ``path``; of the nearest value around it where it is not written."""
        here = self
        for key in path:
            inner = here.child(key)
            if inner is None:
                return here
            here = inner
        return here

    def over(self, base: Spot) -> Spot:
        """The places after this config is merged into ``base``: dicts join, everything else replaces."""
        if self.shape != "dict" or base.shape != "dict" or DELETE in self.children:
            return self
        joined = dict(base.children)
        for key, spot in self.children.items():
            joined[key] = spot.over(joined[key]) if key in joined else spot
        return replace(self, children=joined, any_key=self.any_key or base.any_key)

    def put(self, path: Sequence[Key], spot: Spot) -> Spot:
        """The places after the value at ``path`` was set from elsewhere."""
        if not path:
            return spot
        inner = self.child(path[0]) or replace(spot, shape="dict", children={})
        shape = self.shape if self.shape != "other" else "dict"
        return replace(self, shape=shape, children={**self.children, path[0]: inner.put(path[1:], spot)})

    def walk(self, path: tuple[Key, ...] = ()) -> Iterator[tuple[tuple[Key, ...], Spot]]:
        """Every path with its place."""
        yield path, self
        for key, spot in self.children.items():
            yield from spot.walk((*path, key))


def yaml_spot(node: Node, file: str) -> Spot:
    """The places of a composed yaml (or json) document."""
    line = node.start_mark.line + 1
    if isinstance(node, MappingNode):
        pairs = [(key, value) for key, value in node.value if isinstance(key, ScalarNode)]
        children = {key.value: replace(yaml_spot(value, file), line=key.start_mark.line + 1) for key, value in pairs}
        return Spot(file, line, "dict", children)
    if isinstance(node, SequenceNode):
        return Spot(file, line, "list", {i: yaml_spot(item, file) for i, item in enumerate(node.value)})
    return Spot(file, line)


def python_spot(module: ast.Module, file: str, base: Spot | None = None) -> Spot:
    """The places of a python config's variables, read without running it."""
    reader = _Reader(file, {"_base_": base} if base else {})
    reader.statements(module.body)
    return Spot(file, 1, "dict", {name: spot for name, spot in reader.names.items() if name != "_base_"})


class _Reader:
    """Follows the assignments of a python config as far as reading alone can."""

    def __init__(self, file: str, names: dict[str, Spot]) -> None:
        self.file, self.names = file, names

    def statements(self, body: Sequence[ast.stmt | ast.ExceptHandler]) -> None:
        for statement in body:
            match statement:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self.assign(target, self.spot(value))
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self.assign(target, self.spot(value))
                case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                    self.assign(target, self.spot(ast.BinOp(ast.copy_location(ast.Name(name), target), op, value)))
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=target, attr="update")) as call):
                    self.assign(target, self.spot(target), self.dict_call(call))
                case ast.For() | ast.While() | ast.If() | ast.With() | ast.Try() | ast.ExceptHandler():
                    inner = (n for n in ast.iter_child_nodes(statement) if isinstance(n, ast.stmt | ast.ExceptHandler))
                    self.statements(list(inner))

    def assign(self, target: ast.expr, spot: Spot, updates: Spot | None = None) -> None:
        """Note ``target = spot``, or ``target.update(updates)``; targets are names and subscripts of them."""
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
            spot = replace(spot, shape="dict", children={**spot.children, **updates.children})
        else:
            spot = replace(spot, line=target.lineno)
        whole = self.names.get(target.id, Spot(self.file, target.lineno))
        self.names[target.id] = whole.put(path, spot) if path else spot

    def spot(self, value: ast.expr) -> Spot:
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
                first, second = self.spot(left), self.spot(right)
                return replace(first, shape="dict", children={**first.children, **second.children})
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.joined(value, [self.spot(left), self.spot(right)])
            case ast.DictComp(value=inner):
                return replace(self.here(value), shape="dict", any_key=self.spot(inner))
            case ast.ListComp(elt=inner):
                return replace(self.here(value), shape="list", any_key=self.spot(inner))
            case _:
                return self.here(value)

    def here(self, node: ast.expr | ast.keyword) -> Spot:
        return Spot(self.file, node.lineno)

    def dict_display(self, value: ast.Dict) -> Spot:
        children: dict[Key, Spot] = {}
        for key, item in zip(value.keys, value.values, strict=True):
            if key is None:  # {**other}
                children |= self.spot(item).children
            elif isinstance(key, ast.Constant) and isinstance(key.value, str | int):
                children[key.value] = replace(self.spot(item), file=self.file, line=key.lineno)
        return Spot(self.file, value.lineno, "dict", children)

    def dict_call(self, call: ast.Call) -> Spot:
        """The places inside ``dict(other, key=value, **more)``."""
        children: dict[Key, Spot] = {}
        for other in call.args:
            children |= self.spot(other).children
        for word in call.keywords:
            inner = self.spot(word.value)
            children |= (
                inner.children if word.arg is None else {word.arg: replace(inner, file=self.file, line=word.lineno)}
            )
        return Spot(self.file, call.lineno, "dict", children)

    def list_display(self, value: ast.expr, items: Sequence[ast.expr]) -> Spot:
        parts = [
            self.spot(item.value) if isinstance(item, ast.Starred)
            else Spot(self.file, item.lineno, "list", {0: self.spot(item)})
            for item in items
        ]  # fmt: skip
        return self.joined(value, parts)

    def joined(self, value: ast.expr, parts: Sequence[Spot]) -> Spot:
        """Lists behind one another."""
        if any(part.shape != "list" or part.any_key for part in parts):
            return self.here(value)
        items = [spot for part in parts for _, spot in sorted(part.children.items())]
        return Spot(self.file, value.lineno, "list", dict(enumerate(items)))

    def member(self, value: ast.Subscript | ast.Attribute) -> Spot:
        key, outer = _key(value), self.spot(value.value)
        inner = outer.child(key) if key is not None else outer.any_key
        return inner or self.here(value)


def _key(node: ast.Subscript | ast.Attribute) -> Key | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    index = node.slice
    return index.value if isinstance(index, ast.Constant) and isinstance(index.value, str | int) else None
