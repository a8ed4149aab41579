"""The hashes and the trial key: what they are of, and that they stay what they are."""

import random
from dataclasses import fields, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from space.hashes import VERSION, architecture_hash, candidate_hash, space_hash, training_settings, trial_key
from space.model import Training
from space.parse import LIBRARY, find, parse_architecture, parse_space, to_yaml

SPACES = {path.stem: parse_space(*find(path.stem)) for path in sorted(LIBRARY.glob("*.yaml"))}
FIXED_HASH = "s2:8370dcd3544d55fc3f4757c4a205148f7acd44ba0bef8cffeba6424bce689345"
samples = st.builds(
    lambda name, seed: SPACES[name].fill(SPACES[name].sample(random.Random(seed))),
    st.sampled_from(sorted(SPACES)),
    st.integers(0, 2**32),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(samples)
def test_a_written_architecture_has_the_hash_and_the_trial_key_of_its_candidate(sample):
    given_architecture, graph = sample
    again, again_graph = parse_architecture(to_yaml(given_architecture), "export.yaml")
    assert architecture_hash(again_graph) == architecture_hash(graph)
    assert trial_key(again, again_graph, "search", 0) == trial_key(given_architecture, graph, "search", 0)


def test_a_trial_key_is_of_settings_data_split_and_replicate_and_not_of_the_seed():
    given_architecture, graph = parse_architecture(*find("digits-rgc"))

    def key(split="search", replicate=0, **changes):
        train = replace(given_architecture.train, **changes)
        return trial_key(replace(given_architecture, train=train), graph, split, replicate)

    assert key(seed=1) == key(seed=2) == key(weight_decay=given_architecture.train.weight_decay)
    assert key(weight_decay=0.0) == key(weight_decay=-0.0)
    changes = [
        {"split": "final"},
        {"replicate": 1},
        {"data": "fashion-mnist"},
        {"epochs": 99},
        {"learning_rate": 0.123},
        {"max_gradient_norm": None},
        {"batch_size": 7},
    ]
    assert len({key(), *(key(**change) for change in changes)}) == 1 + len(changes)
    assert {*training_settings(given_architecture.train), "data", "seed"} == {each.name for each in fields(Training)}


def test_hashes_carry_their_version_and_do_not_meet():
    space = SPACES["digits"]
    candidate = space.sample(random.Random(0))
    found = [space_hash(space), candidate_hash(candidate), architecture_hash(space.fill(candidate)[1])]
    assert len(set(found)) == 3
    for each in found:
        version, digest = each.split(":")
        assert version == VERSION
        assert len(digest) == 64
    assert candidate_hash(dict(reversed(candidate.items()))) == found[1]


def test_constraints_are_of_the_hash_of_a_space():
    text, file = find("digits")
    spaces = [f'{text}constraints: [{{name: few, require: "time.steps < {most}"}}]\n' for most in (10, 11)]
    assert len({space_hash(SPACES["digits"]), *(space_hash(parse_space(each, file)) for each in spaces)}) == 3


def test_the_hash_of_a_space_is_of_its_decisions_and_not_of_its_words():
    text, file = find("digits")
    before = space_hash(SPACES["digits"])
    respelt = text.replace("name: digits", "name: numbers").replace("# A small space", "# Another")
    assert space_hash(parse_space(respelt, file)) == before
    assert space_hash(parse_space(text.replace("weights: [1, 1, 1, 2]", "weights: [2, 2, 2, 4]"), file)) == before
    for old, new in (
        ("bool: 0.3", "bool: 0.4"),
        ("max: 3", "max: 4"),
        ("[9, 10]", "[9, 11]"),
        ("0.01, 0.3", "0.02, 0.3"),
    ):
        assert old in text
        assert space_hash(parse_space(text.replace(old, new), file)) != before


def test_hashes_of_this_version_stay_what_they_are():
    """A change of these is a new version."""
    _, graph = parse_architecture(*find("digits-rgc"))
    assert architecture_hash(graph) == FIXED_HASH
