"""The constructs of the language's page: its constrained example decides and is limited as the page says."""

import random
import re
from pathlib import Path

from space.parse import parse_space

PAGE = (Path(__file__).parents[1] / "docs" / "language.md").read_text(encoding="utf-8")
EXAMPLES = {
    re.search(r"^name: (\S+)", text, re.M)[1]: text for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
}
CONSTRUCTS = (  # as they are written; each stands in some example, all of which are read
    *(
        "choice: [",
        "choice:\n",
        "weights: [",
        "int: [",
        "float: [",
        "bool: ",
        "log: true",
        "step: ",
        "when: ",
        "let: {",
    ),
    *(
        "templates:",
        "params: {",
        "{use: ",
        "$",
        "shared:",
        "{shared: ",
        "candidates: {from: [",
        "candidates: {from: all",
    ),
    *(
        "candidates: [",
        "where: ",
        "each: {",
        "all: {",
        "include: {bool: ",
        'include: "',
        "enters: ",
        "skip:",
        "feedback:",
    ),
    *(
        "constraints:",
        "count(feedback)",
        "forall(",
        "exists(",
        "sum(",
        "params()",
        "flops()",
        "memory()",
        "rank(",
        "present(",
    ),
)


def test_every_construct_stands_in_an_example_that_is_read():
    spaces = {name: parse_space(text, f"{name}.yaml") for name, text in EXAMPLES.items()}
    together = "".join(EXAMPLES.values())
    assert [each for each in CONSTRUCTS if each not in together] == []
    assert {each.stage for space in spaces.values() for each in space.constraints} == {"space", "candidate", "built"}


def test_the_constrained_example_does_what_it_says():
    space = parse_space(EXAMPLES["constrained"], "constrained.yaml")
    rng = random.Random(0)
    drawn = [space.draw(rng) for _ in range(120)]
    broken = set()
    for candidate in drawn:
        architecture, graph = space.fill(candidate)
        edges = {edge.name for edge in graph.long_range}
        rate, width = candidate["train.learning_rate"], candidate["areas.V1.drive[0].conv.channels"]
        wanted = {
            "slow-if-large": candidate["link.kernel"] == 1 or rate <= 0.1,
            "no-far-edge": "V4>V1" not in edges or "V1>V4" in edges,
            "narrow": width + 8 + 8 < 40,
        }
        first = next((name for name, holds in wanted.items() if not holds), None)
        assert space.reject(candidate) == first
        broken.add(first)
        assert ("areas.V4.drive[1]" in candidate) == (candidate["link.kernel"] == 3)
        assert {edge.name: edge.operations[1].kernel for edge in graph.long_range} == {
            name: 1 if name == "V1>V4" else 3 for name in edges
        }
        assert architecture.time.steps in (7, 9)
        assert rate in [0.05 + 0.05 * n for n in range(4)]
    assert broken == {"slow-if-large", "no-far-edge", "narrow", None}
