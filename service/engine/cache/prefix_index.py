"""Finds who holds the longest beginning of a prompt: a radix tree over prompt items, one for each cache salt.

Items are their own keys: whatever is hashable and equal by content will do, token ids among them. An edge holds as many
items as all of its holders have in common, and a match may end inside of it. Every operation takes time in proportion
to the items that it compares or adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from service.engine.request.items import whole_length

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.engine.request.items import PromptItem

#: Items compared at once in the search for a common prefix.
_COMPARED = 256

Holder = TypeVar("Holder")


class PrefixIndex(Generic[Holder]):
    """Sequences of items, as lists, by their beginnings.

    Holders are told apart by ``==`` and must be hashable. Among equals, those that came to a place first win.

    Attributes:
        roots: the trees by salt, to look at; only the index changes them.
    """

    def __init__(self) -> None:
        self.roots: dict[str, Node[Holder]] = {}
        self._ends: dict[Holder, _End[Holder]] = {}

    def __len__(self) -> int:
        """The number of holders with any item."""
        return len(self._ends)

    def length(self, holder: Holder) -> int:
        """Items by which a holder can be found."""
        end = self._ends.get(holder)
        return 0 if end is None else end.depth

    def ends_at(self, holder: Holder, node: Node[Holder]) -> bool:
        """Whether the items by which a holder is known end at a node."""
        end = self._ends.get(holder)
        return end is not None and end.node is node

    def extend(self, holder: Holder, salt: str, items: Sequence[PromptItem], length: int) -> None:
        """Make a holder known by the first ``length`` of its items; those by which it is known must be the same.

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
            end.node, n_items = self._descend(end.node, holder, items, end.depth, length)
            end.depth += n_items
        self._compress(before)

    def cut(self, holder: Holder, length: int) -> None:
        """Make a holder known by no more than its first ``length`` items."""
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
        items: Sequence[PromptItem],
        limit: int,
        accept: Callable[[Holder], bool] | None = None,
        *,
        whole: bool = False,
    ) -> tuple[Holder | None, int]:
        """Who holds most of the first ``limit`` items, and how many of them; None and 0 if nobody holds any.

        A match that ends inside of what cannot be divided counts up to its beginning.

        Args:
            salt: of the holders.
            items: what is looked for.
            limit: items that count; not more than there are.
            accept: whether a holder comes into question; None if all do.
            whole: only holders of which nothing is left over.
        """
        for depth, node in reversed(self._path(salt, items, limit)):
            length = whole_length(items, depth)
            if not length:
                break
            for holder in node.holders:
                end = self._ends[holder]
                if whole and (end.node is not node or end.depth != length):
                    continue
                if accept is None or accept(holder):
                    return holder, length
        return None, 0

    def beginnings(self, salt: str, items: Sequence[PromptItem], limit: int) -> list[Holder]:
        """Those of which all items are among the first ``limit`` items, in this order, from the first one on."""
        return [
            holder
            for depth, node in self._path(salt, items, limit)
            for holder in node.holders
            if self._ends[holder].node is node and self._ends[holder].depth == depth
        ]

    def _path(self, salt: str, items: Sequence[PromptItem], limit: int) -> list[tuple[int, Node[Holder]]]:
        """The nodes along the items, and how many items match up to each; in the last one, some may not."""
        path: list[tuple[int, Node[Holder]]] = []
        node, depth = self.roots.get(salt), 0
        while node is not None and depth < limit:
            node = node.children.get(items[depth])
            if node is None:
                break
            n_items = count_common(node.edge, items, depth, limit)
            depth += n_items
            path.append((depth, node))
            if n_items < len(node.edge):
                break
        return path

    def _descend(
        self, node: Node[Holder], holder: Holder, items: Sequence[PromptItem], depth: int, length: int
    ) -> tuple[Node[Holder], int]:
        """Take a holder that ends at ``depth`` further down; return its new end, and how many items that are."""
        if node.parent is not None and not node.children and len(node.holders) == 1:
            node.edge.extend(items[depth:length])
            return node, length - depth
        child = node.children.get(items[depth])
        if child is None:
            child = node.children[items[depth]] = Node(node, list(items[depth:length]))
        else:
            n_items = count_common(child.edge, items, depth, length)
            if n_items < len(child.edge):
                child = _split(child, n_items)
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
    """The items behind those of the parent, and who has all of them; the root has none and names no holders.

    Whoever holds a child holds its parent. A holder ends at a node, never inside of its edge.
    """

    __slots__ = ("children", "edge", "holders", "parent")

    def __init__(self, parent: Node[Holder] | None, edge: list[PromptItem]) -> None:
        self.parent = parent
        self.edge = edge
        self.children: dict[PromptItem, Node[Holder]] = {}
        # A dict for its order, so that the same calls give the same answers.
        self.holders: dict[Holder, None] = {}


class _End(Generic[Holder]):
    """Where the items end by which a holder is known."""

    __slots__ = ("depth", "node", "salt")

    def __init__(self, salt: str, node: Node[Holder], depth: int) -> None:
        self.salt = salt
        self.node = node
        self.depth = depth


def common_length(items: Sequence[PromptItem], prompt: Sequence[PromptItem], limit: int) -> int:
    """How many of the first ``limit`` items of a prompt other items begin with, too, as far as it may be divided there.

    Both must be lists.
    """
    return whole_length(prompt, count_common(items, prompt, 0, limit))


def count_common(left: Sequence[PromptItem], right: Sequence[PromptItem], start: int, limit: int) -> int:
    """How many items of ``left`` are those of ``right`` from ``start`` on, below ``limit``; both of the same type."""
    limit = min(len(left), limit - start)
    n_equal = 0
    while n_equal < limit:
        end = min(n_equal + _COMPARED, limit)
        if left[n_equal:end] != right[start + n_equal : start + end]:
            return next(index for index in range(n_equal, end) if left[index] != right[start + index])
        n_equal = end
    return max(0, limit)


def _split(node: Node[Holder], n_items: int) -> Node[Holder]:
    """Let the first items of an edge be a node of their own, between its parent and the rest; return that."""
    parent = node.parent
    assert parent is not None
    upper = Node(parent, node.edge[:n_items])
    upper.holders = node.holders.copy()
    upper.children = {node.edge[n_items]: node}
    parent.children[node.edge[0]] = upper
    node.edge = node.edge[n_items:]
    node.parent = upper
    return upper
