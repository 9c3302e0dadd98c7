"""Finds who holds the longest beginning of a prompt: a radix tree over token ids, one for each cache salt.

An edge holds as many tokens as all of its holders have in common, and a match may end inside of it. Every operation
takes time in proportion to the tokens that it compares or adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence as SequenceOf

#: Tokens compared at once in the search for a common prefix.
_COMPARED = 256

Holder = TypeVar("Holder")


class PrefixIndex(Generic[Holder]):
    """Token sequences by their beginnings.

    Holders are told apart by ``==`` and must be hashable. Among equals, those that came to a place first win.

    Attributes:
        roots: the trees by salt, to look at; only the index changes them.
    """

    def __init__(self) -> None:
        self.roots: dict[str, Node[Holder]] = {}
        self._ends: dict[Holder, _End[Holder]] = {}

    def __len__(self) -> int:
        """The number of holders with any token."""
        return len(self._ends)

    def length(self, holder: Holder) -> int:
        """Tokens by which a holder can be found."""
        end = self._ends.get(holder)
        return 0 if end is None else end.depth

    def ends_at(self, holder: Holder, node: Node[Holder]) -> bool:
        """Whether the tokens by which a holder is known end at a node."""
        end = self._ends.get(holder)
        return end is not None and end.node is node

    def extend(self, holder: Holder, salt: str, tokens: list[int], length: int) -> None:
        """Make a holder known by the first ``length`` of its tokens; those by which it is known must be the same.

        A holder whose salt has changed is known by nothing else any more.
        """
        end = self._ends.get(holder)
        if end is not None and end.salt != salt:
            self.remove(holder)
            end = None
        if length <= (0 if end is None else end.depth):
            return
        if end is None:
            root = self.roots.setdefault(salt, Node(None, []))
            end = self._ends[holder] = _End(salt, root, 0)
        before = end.node
        while end.depth < length:
            end.node, n_tokens = self._descend(end.node, holder, tokens, end.depth, length)
            end.depth += n_tokens
        self._compress(before)

    def cut(self, holder: Holder, length: int) -> None:
        """Make a holder known by no more than its first ``length`` tokens."""
        end = self._ends.get(holder)
        if end is None or end.depth <= length:
            return
        node = end.node
        while end.depth > length:
            start = end.depth - len(node.edge)
            if start < length:
                _split(node, length - start)
                start = length
            parent = node.parent
            assert parent is not None
            del node.holders[holder]
            if not node.holders:
                del parent.children[node.edge[0]]
            end.node, end.depth = parent, start
            self._compress(node)
            node = parent
        if not end.depth:
            del self._ends[holder]
            if not end.node.children:
                del self.roots[end.salt]
        self._compress(node)

    def remove(self, holder: Holder) -> None:
        """Forget a holder; one that is not known may be removed, too."""
        self.cut(holder, 0)

    def longest(
        self,
        salt: str,
        tokens: list[int],
        limit: int,
        accept: Callable[[Holder], bool] | None = None,
        *,
        whole: bool = False,
    ) -> tuple[Holder | None, int]:
        """Who holds most of the first ``limit`` tokens, and how many of them; None and 0 if nobody holds any.

        Args:
            salt: of the holders.
            tokens: what is looked for.
            limit: tokens that count; not more than there are.
            accept: whether a holder comes into question; None if all do.
            whole: only holders of which nothing is left over.
        """
        for depth, node in reversed(self._path(salt, tokens, limit)):
            for holder in node.holders:
                end = self._ends[holder]
                if whole and (end.node is not node or end.depth != depth):
                    continue
                if accept is None or accept(holder):
                    return holder, depth
        return None, 0

    def beginnings(self, salt: str, tokens: list[int], limit: int) -> list[Holder]:
        """Those of which all tokens are among the first ``limit`` tokens, in this order, from the first one on."""
        return [
            holder
            for depth, node in self._path(salt, tokens, limit)
            for holder in node.holders
            if self._ends[holder].node is node and self._ends[holder].depth == depth
        ]

    def _path(self, salt: str, tokens: list[int], limit: int) -> list[tuple[int, Node[Holder]]]:
        """The nodes along the tokens, and how many tokens match up to each; in the last one, some may not."""
        path: list[tuple[int, Node[Holder]]] = []
        node, depth = self.roots.get(salt), 0
        while node is not None and depth < limit:
            node = node.children.get(tokens[depth])
            if node is None:
                break
            n_tokens = count_common(node.edge, tokens, depth, limit)
            depth += n_tokens
            path.append((depth, node))
            if n_tokens < len(node.edge):
                break
        return path

    def _descend(
        self, node: Node[Holder], holder: Holder, tokens: list[int], depth: int, length: int
    ) -> tuple[Node[Holder], int]:
        """Take a holder that ends at ``depth`` further down; return its new end, and how many tokens that are."""
        if node.parent is not None and not node.children and len(node.holders) == 1:
            node.edge.extend(tokens[depth:length])
            return node, length - depth
        child = node.children.get(tokens[depth])
        if child is None:
            child = node.children[tokens[depth]] = Node(node, tokens[depth:length])
        else:
            n_tokens = count_common(child.edge, tokens, depth, length)
            if n_tokens < len(child.edge):
                child = _split(child, n_tokens)
        child.holders[holder] = None
        return child, len(child.edge)

    def _compress(self, node: Node[Holder]) -> None:
        """Join a node with its child if all of its holders go on there."""
        if node.parent is None or len(node.children) != 1:
            return
        (child,) = node.children.values()
        if len(child.holders) < len(node.holders):
            return
        node.edge += child.edge
        node.children = child.children
        for grandchild in node.children.values():
            grandchild.parent = node
        for holder in child.holders:
            if self._ends[holder].node is child:
                self._ends[holder].node = node


class Node(Generic[Holder]):
    """The tokens behind those of the parent, and who has all of them; the root has none and names no holders.

    Whoever holds a child holds its parent. A holder ends at a node, never inside of its edge.
    """

    __slots__ = ("children", "edge", "holders", "parent")

    def __init__(self, parent: Node[Holder] | None, edge: list[int]) -> None:
        self.parent = parent
        self.edge = edge
        self.children: dict[int, Node[Holder]] = {}
        # A dict for its order, so that the same calls give the same answers.
        self.holders: dict[Holder, None] = {}


class _End(Generic[Holder]):
    """Where the tokens end by which a holder is known."""

    __slots__ = ("depth", "node", "salt")

    def __init__(self, salt: str, node: Node[Holder], depth: int) -> None:
        self.salt = salt
        self.node = node
        self.depth = depth


def count_common(left: SequenceOf[int], right: SequenceOf[int], start: int, limit: int) -> int:
    """How many tokens of ``left`` are those of ``right`` from ``start`` on, below ``limit``; both of the same type."""
    limit = min(len(left), limit - start)
    place = 0
    while place < limit:
        end = min(place + _COMPARED, limit)
        if left[place:end] != right[start + place : start + end]:
            return next(index for index in range(place, end) if left[index] != right[start + index])
        place = end
    return max(0, limit)


def _split(node: Node[Holder], n_tokens: int) -> Node[Holder]:
    """Let the first tokens of an edge be a node of their own, between its parent and the rest; return that."""
    parent = node.parent
    assert parent is not None
    upper = Node(parent, node.edge[:n_tokens])
    upper.holders = node.holders.copy()
    upper.children = {node.edge[n_tokens]: node}
    parent.children[node.edge[0]] = upper
    node.edge = node.edge[n_tokens:]
    node.parent = upper
    return upper
