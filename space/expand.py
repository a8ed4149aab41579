"""From the tree as written to the tree of decisions: templates, shared decisions, holes and edge candidates.

After this pass nothing of `templates`, `shared`, `use` or `candidates` is left: a template's body stands at each use,
with a decision of its own there; a shared body stands at each reference under its own path, so that it is decided once;
a rule for feedback or skip edges is a list with one optional edge for each pair of areas. Decisions of `let` come first
under that key; they stand in no field of an architecture.
"""

from __future__ import annotations

from dataclasses import dataclass

from space.allowance import Allowance, TooLargeError
from space.conditions import Conditions
from space.constraints import Constraint, read_constraints, settle
from space.edge_rule import RULES, EdgeRule
from space.errors import Problems, SpecificationError, did_you_mean
from space.forms import NAME_RULE, is_name
from space.holes import WHEN, HoleReader, broken, is_hole
from space.names import LET, Names, around
from space.names import Scope as Words
from space.place import Argument, Place, Scope
from space.tree import Mapping, Node, Scalar, Sequence, When, shown

CONSTRAINTS = "constraints"
_SECTIONS = ("templates", "shared", LET, CONSTRAINTS)


@dataclass(frozen=True, slots=True)
class Expanded:
    """A document unfolded: the tree of its decisions, those of `let` first, and its constraints."""

    tree: Mapping
    constraints: tuple[Constraint, ...]


def expand(root: Mapping, problems: Problems) -> Expanded:
    """Unfold a document; what is wrong goes into `problems`, and a hole without options stands in its place.

    Raises:
        SpecificationError: the document unfolds into more than a space may be.

    """
    try:
        return _Expansion(root, problems).unfold()
    except TooLargeError as error:
        problems.add(error.mark, "", error.message)
        raise SpecificationError(problems.found) from None


class _Expansion:
    """One unfolding of one document."""

    def __init__(self, root: Mapping, problems: Problems) -> None:
        self.root = root
        self.problems = problems
        self.templates = self._section("templates")
        self.shared = self._section("shared")
        self.sharing: list[str] = []
        areas = root.entries.get("areas")
        ranks = {name: rank for rank, name in enumerate(areas.entries)} if isinstance(areas, Mapping) else {}
        self.names = Names(ranks)
        self.allowance = Allowance()
        self.conditions = Conditions(self.names, self.allowance, problems)
        self.holes = HoleReader(self.walk, problems)
        self.edges = EdgeRule(ranks, self.walk, self.conditions, problems)

    def unfold(self) -> Expanded:
        lets = {name: self.walk(node, Place(LET, LET).at(name)) for name, node in self._section(LET).items()}
        kept = {key: node for key, node in self.root.entries.items() if key not in _SECTIONS}
        entries = {key: self.walk(node, Place(key, key)) for key, node in kept.items()}
        constraints = read_constraints(self.root.entries.get(CONSTRAINTS), self.conditions, self.problems)
        self.conditions.finish()
        settle(constraints, self.problems)
        marks = dict(self.root.key_marks)
        if lets or self.edges.lets:  # decided first, so that whatever is decided later may ask them
            marks[LET] = marks.get(LET, self.root.mark)
            inside = {**dict.fromkeys(lets, marks[LET]), **dict.fromkeys(self.edges.lets, marks[LET])}
            entries = {LET: Mapping({**lets, **self.edges.lets}, inside, marks[LET]), **entries}
        return Expanded(Mapping(entries, marks, self.root.mark), constraints)

    def _section(self, section: str) -> dict[str, Node]:
        node = self.root.entries.get(section)
        if node is None:
            return {}
        if not isinstance(node, Mapping):
            rule = f"`{section}` maps names to values, but got {shown(node)}; write `{section}: {{a_name: …}}`"
            self.problems.add(node.mark, section, rule)
            return {}
        for name, mark in node.key_marks.items():
            if not is_name(name):
                rule = f"{NAME_RULE}, but {shown(name)} was given; choose another"
                self.problems.add(mark, f"{section}.{name}", rule)
            elif section == "shared" and name in self.root.entries:
                rule = f"a shared value begins the paths of its decisions, as the section {name!r} does; rename it"
                self.problems.add(mark, f"{section}.{name}", rule)
        return node.entries

    def walk(self, node: Node, place: Place) -> Node:
        self.allowance.enter(place.key, node.mark)
        unfolded = self._unfold(node, place)
        self.names.add(place, unfolded)
        self.allowance.leave()
        return unfolded

    def _unfold(self, node: Node, place: Place) -> Node:
        match node:
            case Scalar(value=str(word)) if word.startswith("$") and place.scope.using:
                return self._argument(node, word[1:], place)
            case Sequence(items, mark):
                return Sequence(tuple(self.walk(item, place.item(i)) for i, item in enumerate(items)), mark)
            case Mapping(entries) if WHEN in entries and ("use" in entries or "shared" in entries or is_hole(node)):
                return self._when(node, place)
            case Mapping(entries) if "use" in entries:
                return self._use(node, place)
            case Mapping(entries) if "shared" in entries:
                return self._shared(node, place)
            case Mapping(entries) if place.path in RULES and "candidates" in entries:
                return self.edges.unfold(node, place)
            case Mapping() if is_hole(node):
                open_hole = broken(node, place)  # conditions inside it may ask which of its branches is theirs
                self.names.add(place, open_hole)
                hole = self.holes.read(node, place)
                self.names.forget(place, open_hole)
                return hole
            case Mapping(entries, key_marks, mark):
                return Mapping({key: self.walk(each, place.at(key)) for key, each in entries.items()}, key_marks, mark)
            case _:
                return node

    def _when(self, node: Mapping, place: Place) -> Node:
        given = node.entries[WHEN]
        rest = {key: each for key, each in node.entries.items() if key != WHEN}
        body = Mapping(rest, node.key_marks, node.mark)
        told = self.walk(given, place.beside())
        condition = self.conditions.read(told, f"{place.path}.{WHEN}", Words(around(place.path), guards=place.guards))
        if condition is None:
            return self.walk(body, place)
        return When(condition, self.walk(body, place.under(condition)), given.mark)

    def _argument(self, node: Scalar, name: str, place: Place) -> Node:
        argument = place.scope.arguments.get(name)
        if argument is None:
            rule = f"`${name}` names a parameter of its template, but there is none of that name"
            self.problems.add(node.mark, place.path, f"{rule}; {did_you_mean(name, place.scope.arguments)}")
            return broken(node, place)
        return self.walk(argument.node, place.within(argument.scope))

    def _use(self, node: Mapping, place: Place) -> Node:
        name_node = node.entries["use"]
        name = str(name_node.value) if isinstance(name_node, Scalar) else ""
        template = self.templates.get(name)
        using = (*place.scope.using, name)
        if template is None:
            rule = f"`use` names a template, but there is no {shown(name_node)}; {did_you_mean(name, self.templates)}"
            self.problems.add(name_node.mark, place.path, rule)
        elif name in place.scope.using:
            rule = f"a template does not use itself, but {' > '.join(using)} does; break the circle"
            self.problems.add(node.mark, place.path, rule)
        elif not isinstance(template, Mapping) or "body" not in template.entries:
            rule = f"a template has a body, but {name!r} has none; write `{name}: {{params: {{…}}, body: …}}`"
            self.problems.add(template.mark, f"templates.{name}", rule)
        else:
            arguments = self._parameters(name, template, using)
            for key, value in node.entries.items():
                if key in arguments:
                    arguments[key] = Argument(value, place.scope)
                elif key != "use":
                    rule = f"template {name!r} has no parameter {shown(key)}; {did_you_mean(key, arguments)}"
                    self.problems.add(node.key_marks[key], place.path, rule)
            return self.walk(template.entries["body"], place.within(Scope(arguments, using)))
        return broken(node, place)

    def _parameters(self, name: str, template: Mapping, using: tuple[str, ...]) -> dict[str, Argument]:
        """A template's parameters with their defaults."""
        for key, mark in template.key_marks.items():
            if key not in ("params", "body"):
                rule = f"a template has `params` and `body`, but {shown(key)} was given; take it away"
                self.problems.add(mark, f"templates.{name}.{key}", rule)
        parameters = template.entries.get("params", Mapping({}, {}, template.mark))
        if not isinstance(parameters, Mapping):
            rule = f"`params` maps names to defaults, but got {shown(parameters)}; write `params: {{a_name: default}}`"
            self.problems.add(parameters.mark, f"templates.{name}.params", rule)
            return {}
        if "use" in parameters.entries:
            rule = "`use` names the template, so no parameter has that name; rename it"
            self.problems.add(parameters.key_marks["use"], f"templates.{name}.params.use", rule)
        return {key: Argument(value, Scope({}, using)) for key, value in parameters.entries.items() if key != "use"}

    def _shared(self, node: Mapping, place: Place) -> Node:
        name_node = node.entries["shared"]
        name = str(name_node.value) if isinstance(name_node, Scalar) else ""
        for key, mark in node.key_marks.items():
            if key != "shared":
                rule = f"`shared` stands alone, but {shown(key)} stands beside it; take it away"
                self.problems.add(mark, place.path, rule)
        if name not in self.shared:
            rule = f"`shared` names a shared value, but there is no {shown(name_node)}"
            self.problems.add(name_node.mark, place.path, f"{rule}; {did_you_mean(name, self.shared)}")
            return broken(node, place)
        if name in self.sharing:
            chain = " > ".join((*self.sharing, name))
            rule = f"a shared value does not hold itself, but {chain} does; break the circle"
            self.problems.add(node.mark, place.path, rule)
            return broken(node, place)
        self.sharing.append(name)
        unfolded = self.walk(self.shared[name], Place(name, name, guards=place.guards))
        self.sharing.pop()
        return unfolded
