"""Dependencies as a graph: a mapping of a task id to the ids it waits for."""

from collections.abc import Mapping, Set


def find_cycle(depends: Mapping[int, Set[int]]) -> list[int]:
    """Return a circle of dependencies, its first id repeated at the end; empty if there is none."""
    done: set[int] = set()

    def visit(node: int, path: list[int]) -> list[int]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        path.append(node)
        for needed in sorted(depends.get(node, ())):
            cycle = visit(needed, path)
            if cycle:
                return cycle
        path.pop()
        done.add(node)
        return []

    for start in sorted(depends):
        cycle = visit(start, [])
        if cycle:
            return cycle
    return []


def in_order(depends: Mapping[int, Set[int]]) -> list[int]:
    """Return the ids so that each one comes after everything it waits for, small ids first.

    Needed ids that are not keys of the mapping count as finished.
    """
    waiting = {node: {other for other in needed if other in depends} for node, needed in depends.items()}
    order: list[int] = []
    while waiting:
        free = [node for node, needed in waiting.items() if not needed]
        if not free:
            raise ValueError("the dependencies have a cycle")
        node = min(free)
        order.append(node)
        del waiting[node]
        for needed in waiting.values():
            needed.discard(node)
    return order
