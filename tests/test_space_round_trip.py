"""What a search exports is read by the reader of spaces: read(write(fill(candidate))) is the same architecture."""

import json
import random
from dataclasses import replace

import pytest
from at_length import at_length
from hypothesis import given, settings
from hypothesis import strategies as st

from space.parse import LIBRARY, find, parse_architecture, parse_space, to_yaml

SHIPPED = {path.stem: path for path in sorted(LIBRARY.rglob("*.yaml"))}
SPACES = {name: parse_space(*find(name)) for name in SHIPPED}


def test_the_names_of_shipped_files_are_unique_and_their_own():
    assert len(SHIPPED) == len(list(LIBRARY.rglob("*.yaml")))
    assert {name: space.name for name, space in SPACES.items()} == {name: name for name in SHIPPED}
    assert {"digits", "fashion", "digits-feedforward", "digits-rgc"} <= SHIPPED.keys()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32))
def test_an_exported_architecture_reads_back_as_the_same_one(name, seed):
    space = SPACES[name]
    candidate = space.sample(random.Random(seed))
    filled = space.fill(candidate)
    text = to_yaml(filled[0], comment=f"seed {seed}\nof {name}")
    again = parse_architecture(text, "export.yaml")
    assert again == filled
    assert to_yaml(again[0], comment=f"seed {seed}\nof {name}") == text
    assert space.fill(json.loads(json.dumps(candidate))) == filled


test_an_exported_architecture_reads_back_as_the_same_one_at_length = at_length(
    test_an_exported_architecture_reads_back_as_the_same_one,
    120,
    st.sampled_from(sorted(SPACES)),
    st.integers(0, 2**32),
)


@pytest.mark.parametrize("name", sorted(path.stem for path in (LIBRARY / "zoo").glob("*.yaml")))
def test_shipped_architectures_have_no_holes(name):
    architecture, graph = parse_architecture(*find(name))
    assert architecture.name == graph.name == name


def test_every_branch_and_edge_of_a_shipped_space_is_reached():
    for name, space in SPACES.items():
        reached = {path for seed in range(300) for path in space.sample(random.Random(seed))}
        assert reached == {hole.path for hole in space.holes}, name


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.floats(5e-324, 100), st.floats(0, 1), st.none() | st.floats(5e-324, 1e6), st.integers(0, 2**63 - 1))
def test_every_number_survives(rate, decay, norm, seed):
    architecture, _ = parse_architecture(*find("digits-feedforward"))
    numbers = {"learning_rate": rate, "weight_decay": decay, "max_gradient_norm": norm, "seed": seed}
    changed = replace(architecture, train=replace(architecture.train, **numbers))
    assert parse_architecture(to_yaml(changed), "export.yaml")[0] == changed


def test_names_that_yaml_would_read_as_something_else_survive():
    text, _ = find("digits-feedforward")
    for word in ("no", "on", "y", "NaN", "Infinity", "e5"):
        renamed = text.replace("V4:", f"{word}:").replace("name: digits-feedforward", f"name: {word}")
        architecture, _ = parse_architecture(renamed, "renamed.yaml")
        assert architecture.name == architecture.areas[2].name == word
        assert parse_architecture(to_yaml(architecture), "export.yaml")[0] == architecture
