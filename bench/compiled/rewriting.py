"""Sources rewritten into what mypyc compiles, and compiles to something fast.

mypyc leaves the constructor of a dataclass interpreted, needs the types of its fields at run time, and compiles neither
subclasses of built-in exceptions nor protocols that are checked at run time. So dataclasses become classes with a
constructor. What else they have (``__repr__``, ``__match_args__``, frozen fields) is left out: no step needs it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

_EXCEPTIONS = frozenset(("Exception", "RuntimeError", "ValueError"))
_FUTURE = "from __future__ import annotations\n"
_NATIVE = "\nfrom mypy_extensions import mypyc_attr\n"


@dataclass(frozen=True, slots=True)
class _Edit:
    """Lines that replace lines ``first`` to ``last``, counted from 1; nothing is replaced if ``last`` is before."""

    first: int
    last: int
    lines: list[str]


def rewrite(source: str, kept: frozenset[str]) -> str:
    """A module as mypyc takes it.

    Args:
        source: the module.
        kept: dataclasses that stay what they are.
    """
    lines = source.splitlines()
    edits = [edit for node in ast.parse(source).body if isinstance(node, ast.ClassDef) for edit in _edits(node, kept)]
    for edit in sorted(edits, key=lambda edit: -edit.first):
        lines[edit.first - 1 : edit.last] = edit.lines
    text = "\n".join([*lines, ""])
    return text.replace(_FUTURE, _FUTURE + _NATIVE, 1) if "@mypyc_attr" in text else text


def _edits(node: ast.ClassDef, kept: frozenset[str]) -> list[_Edit]:
    edits = []
    if any(isinstance(base, ast.Name) and base.id in _EXCEPTIONS for base in node.bases):
        edits.append(_Edit(node.lineno, node.lineno - 1, ["@mypyc_attr(native_class=False)"]))
    for decorator in node.decorator_list:
        text = ast.unparse(decorator)
        if text == "runtime_checkable":
            edits.append(_Edit(decorator.lineno, decorator.lineno, []))
        elif text.startswith("dataclass") and node.name not in kept:
            edits += [_Edit(decorator.lineno, decorator.lineno, []), *_constructor(node, has_eq="eq=False" not in text)]
    return edits


def _constructor(node: ast.ClassDef, *, has_eq: bool) -> list[_Edit]:
    """The fields without their defaults, and a constructor that has these."""
    fields = [
        (one, one.target.id) for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    if not fields:
        return []
    parameters, stores, compared = ["self"], [], []
    for one, name in fields:
        kind = ast.unparse(one.annotation)
        value = _value(one.value)
        if value is None:
            continue
        compared.append(name)
        default, factory = value
        parameters.append(f"{name}: {kind}{' | None' if factory else ''}{f' = {default}' if default else ''}")
        stores.append(f"self.{name} = {f'({factory})() if {name} is None else {name}' if factory else name}")
    if any(isinstance(one, ast.FunctionDef) and one.name == "__post_init__" for one in node.body):
        stores.append("self.__post_init__()")
    added = ["", f"    def __init__({', '.join(parameters)}) -> None:", *(f"        {store}" for store in stores)]
    if has_eq:
        equal = " and ".join(
            [f"isinstance(other, {node.name})", *(f"self.{name} == other.{name}" for name in compared)]
        )
        added += ["", "    def __eq__(self, other: object) -> bool:", f"        return {equal}"]
        key = ", ".join(f"self.{name}" for name in compared)
        added += ["", "    def __hash__(self) -> int:", f"        return hash(({key},))"]
    edits = [_Edit(one.lineno, _end(one), [f"    {name}: {ast.unparse(one.annotation)}"]) for one, name in fields]
    edits[-1].lines.extend(added)
    return edits


def _value(node: ast.expr | None) -> tuple[str, str] | None:
    """A field's default and its factory, empty without; None if the constructor does not take it."""
    if node is None:
        return "", ""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "field"):
        return ast.unparse(node), ""
    options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    return ("None", options["default_factory"]) if "default_factory" in options else None


def _end(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno
