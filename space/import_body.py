"""One object of an imported file while it is read: what no key of ours can say is told where it stands."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field

from space.errors import Problems, nearest
from space.tree import Mapping, Node, Scalar, ScalarValue, Sequence, join, shown


@dataclass(slots=True)
class Body:
    """A mapping of the file, read key by key; `done` refuses the keys that nobody read.

    Arguments:
        node: the mapping.
        path: where it stands, by the name of its node, such as `conv3.pre_memory[0]`.
        problems: collects what cannot be expressed.

    """

    node: Mapping
    path: str
    problems: Problems
    read: set[str] = field(default_factory=set)

    def refuse(self, key: str, message: str) -> None:
        """Note that what stands at a key cannot be expressed; without a key, the whole object."""
        mark = self.node.key_marks.get(key, self.node.mark)
        self.problems.add(mark, join(self.path, key) if key else self.path, message)

    def get(self, key: str) -> Node | None:
        """What stands at a key, if anything does; it counts as read."""
        self.read.add(key)
        return self.node.entries.get(key)

    def has(self, key: str) -> bool:
        """Whether a key is there, and not null."""
        found = self.node.entries.get(key)
        return found is not None and not (isinstance(found, Scalar) and found.value is None)

    def ignore(self, *keys: str) -> None:
        """Keys that do not change what a network can compute, such as initial values."""
        self.read.update(keys)

    def done(self, *lacking: str) -> None:
        """Refuse the keys that nobody read; one of them may be meant for the one that is lacking."""
        for key in self.node.entries:
            if key not in self.read:
                near = lacking[0] if len(lacking) == 1 else nearest(key, lacking)
                way_out = f"did you mean {near!r}?" if near else "take it away"
                self.refuse(key, f"what is imported keeps its meaning, but {key!r} has none here; {way_out}")

    def scalar(self, key: str, default: ScalarValue = None) -> ScalarValue:
        """A word, number, flag or null."""
        node = self.get(key)
        if node is None:
            return default
        if isinstance(node, Scalar):
            return node.value
        self.refuse(key, f"this is one value, but {shown(node)} was given; give a word or a number")
        return default

    def word(self, key: str) -> str | None:
        """A text, if there is one."""
        found = self.scalar(key)
        if found is None or isinstance(found, str):
            return found
        self.refuse(key, f"this is a text, but {shown(found)} was given; put it in quotes")
        return None

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false; null is false."""
        found = self.scalar(key, default)
        if found is not None and not isinstance(found, bool):
            self.refuse(key, f"this is true or false, but {shown(found)} was given; write one of them")
        return bool(found)

    def real(self, key: str, default: float) -> float:
        """A number."""
        found = self.scalar(key, default)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return found
        self.refuse(key, f"this is a number, but {shown(found)} was given; give one")
        return default

    def whole(self, key: str) -> int:
        """A positive whole number."""
        found = self.scalar(key)
        if type(found) is int and found > 0:
            return found
        self.refuse(key, f"this is a positive whole number, but {shown(found)} was given; give one")
        return 1

    def square(self, key: str, default: int) -> int:
        """One number for height and width, given as `3`, `[3, 3]` or `[1, 3, 3, 1]`."""
        node = self.get(key)
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return default
        items = node.items if isinstance(node, Sequence) else (node,)
        sizes = [each.value if isinstance(each, Scalar) else None for each in items]
        if len(sizes) == 4 and sizes[0] == sizes[3] == 1:
            sizes = sizes[1:3]
        size = sizes[0] if sizes else None
        if type(size) is int and size >= 0 and len(sizes) <= 2 and len(set(sizes)) == 1:
            return size
        self.refuse(key, f"height and width are alike here, but {shown(node)} was given; give one number for both")
        return default

    def among(self, key: str, known: MappingType[str | None, str], default: str | None) -> str:
        """A word of theirs, by ours."""
        found = self.scalar(key, default)
        if (found is None or isinstance(found, str)) and found in known:
            return known[found]
        words = ", ".join("null" if each is None else each for each in known)
        self.refuse(key, f"what can be imported is one of {words}, but {shown(found)} was given; choose one of those")
        return known[default]

    def only(self, key: str, *allowed: ScalarValue) -> None:
        """Refuse every value but these."""
        node = self.get(key)
        value = node.value if isinstance(node, Scalar) else None
        if node is not None and not (isinstance(node, Scalar) and _same(value, allowed)):
            known = " or ".join("null" if each is None else shown(each) for each in allowed)
            self.refuse(key, f"what can be imported has {known} here, but {shown(node)} was given; change it")

    def inner(self, key: str) -> Body:
        """The object at a key; an empty one where there is none."""
        node = self.get(key)
        if isinstance(node, Mapping):
            return Body(node, join(self.path, key), self.problems)
        self.refuse(key, f"an object stands here, but {_told(node)} was given; write `{{…}}`")
        return Body(Mapping({}, {}, self.node.mark), join(self.path, key), self.problems)

    def inners(self, key: str) -> list[Body]:
        """The objects of the list at a key."""
        node = self.get(key)
        items = node.items if isinstance(node, Sequence) else ()
        if isinstance(node, Sequence) and all(isinstance(item, Mapping) for item in items):
            path = join(self.path, key)
            bodies = enumerate(item for item in items if isinstance(item, Mapping))
            return [Body(item, f"{path}[{position}]", self.problems) for position, item in bodies]
        self.refuse(key, f"a list of objects stands here, but {_told(node)} was given; write `[{{…}}]`")
        return []


def _same(value: ScalarValue, allowed: tuple[ScalarValue, ...]) -> bool:
    return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in allowed)


def _told(node: Node | None) -> str:
    return "nothing" if node is None else shown(node)
