"""The shipped files, against the published networks and searches that they stand for."""

import random

import pytest

from space.convert import write
from space.errors import SpecificationError
from space.forms import Record
from space.model import Architecture, ConvGRU, ConvLSTM, Feedforward, ReciprocalGated, SimpleRNN
from space.operations import Convolution, count
from space.parse import LIBRARY, find, parse_architecture, parse_space, to_yaml
from space.shipped import shipped
from space.tree import Choice, Integers, Reals

ZOO = sorted(path.stem for path in (LIBRARY / "zoo").glob("*.yaml"))
SPACES = sorted(path.stem for path in LIBRARY.glob("*.yaml"))
RECURRENT = {4: (128, 128), 5: (128, 128), 6: (128, 256), 7: (256, 256), 8: (256, 256), 9: (256, 512), 10: (512, 512)}


@pytest.mark.parametrize("name", ZOO)
def test_a_shipped_architecture_is_named_as_its_file_and_reads_back_as_itself(name):
    architecture, graph = parse_architecture(*find(name))
    assert architecture.name == graph.name == name
    assert parse_architecture(to_yaml(architecture), "again.yaml") == (architecture, graph)


def test_no_two_shipped_files_are_told_alike():
    titles = [each.title() for each in shipped(LIBRARY).values()]
    assert len(set(titles)) == len(titles) == len(ZOO) + len(SPACES)


@pytest.mark.parametrize("name", SPACES)
def test_samples_of_a_shipped_space_read_back_as_themselves(name):
    space = parse_space(*find(name))
    assert space.name == name and space.holes
    rng = random.Random(0)
    for _ in range(20):
        architecture, graph = space.fill(space.sample(rng))
        assert parse_architecture(to_yaml(architecture), "again.yaml") == (architecture, graph)


# The base network and the published models.


def test_the_base_network_has_12_839_400_parameters():
    """Two 3×3 convolutions with biases in each of the areas 4 to 10, by hand."""
    _, graph = parse_architecture(*find("convrnn-base"))
    wanted = [49 * 3 * 64 + 64, 9 * 64 * 128 + 128, 9 * 128 * 128 + 128]
    wanted += [9 * (read * own + own * own) + 2 * own for read, own in RECURRENT.values()]
    assert [count(area.parameters) for area in graph.areas] == wanted
    assert sum(wanted) + 512 * 1000 + 1000 == graph.parameter_count == 12_839_400


@pytest.mark.parametrize("name", [name for name in ZOO if name.startswith("convrnn-")])
def test_maps_are_those_of_the_published_table(name):
    _, graph = parse_architecture(*find(name))
    assert [area.name for area in graph.areas] == [f"conv{rank}" for rank in range(1, 11)]
    assert graph.input_shape == (3, 128, 128)
    assert [area.input_shape[1] for area in graph.areas] == [128, 32, 32, 32, 16, 16, 8, 4, 4, 4]
    assert [area.shape[0] for area in graph.areas] == [64, 128, 128, 128, 128, 256, 256, 256, 512, 512]
    assert graph.areas[-1].output_shape == (512, 2, 2) and graph.readout.pool == "mean"
    convolutions = sum(isinstance(each, Convolution) for area in graph.areas for each in area.drive)
    assert convolutions == (17 if name == "convrnn-base" else 10)


def test_the_median_model_has_14_822_056_parameters():
    """Each recurrent area of C channels, with 64 hidden ones, beside the two convolutions of the base network:

    gates 7×7 separable with a bias: c→c 49·64 + 64² + 64; h→h 49·C + C² + C; h→c 49·C + 64·C + 64;
    c→h 49·64 + 64·C + C; x→c 2×2 4·64·C + 64; and where the channels change the bypass, without a bias.
    """
    _, graph = parse_architecture(*find("convrnn-median"))
    added = 0
    for read, own in RECURRENT.values():
        added += (49 * 64 + 64**2 + 64) + (49 * own + own**2 + own)
        added += (49 * own + 64 * own + 64) + (49 * 64 + 64 * own + own) + (4 * 64 * own + 64)
        added += read * own if read != own else 0
    assert 12_839_400 + added == graph.parameter_count == 14_822_056


def test_the_median_model_with_feedback_has_15_444_648_parameters_and_1_408_biases_of_its_edges():
    """A 1×1 convolution for each edge, 622,592 weights; ours have a bias for each channel of the target besides."""
    _, graph = parse_architecture(*find("convrnn-median-feedback"))
    names = {"conv8>conv5", "conv9>conv6", "conv10>conv7", "conv7>conv6", "conv10>conv9"}
    assert {edge.name for edge in graph.long_range} == names and {edge.port for edge in graph.long_range} == {"output"}
    weights = 256 * 128 + 512 * 256 + 512 * 256 + 256 * 256 + 512 * 512
    biases = 128 + 256 + 256 + 256 + 512
    assert 14_822_056 + weights == 15_444_648 and biases == 1_408
    assert graph.parameter_count == 15_444_648 + biases


def test_the_best_cell_is_the_one_of_figure_4a():
    """The cell's parameters in an area of C channels that reads R, by hand."""
    _, graph = parse_architecture(*find("convrnn-best-cell"))

    def separable(kernel, inputs, outputs):
        return kernel**2 * inputs + inputs * outputs

    for area in graph.areas[3:]:
        read, own = area.input_shape[0], area.shape[0]
        cell = own * own + own  # x→h 1×1, the sum's bias
        cell += separable(2, 64, own)  # c→h, added
        cell += read * own if read != own else 0  # r→h
        cell += separable(2, read, own) + own  # its gate by r
        cell += separable(2, read, 64) + 64  # r→c
        cell += separable(2, own, 64) + 64  # its gate by h
        cell += separable(4, 64, 64) + 64 + separable(4, own, own) + own  # the loops of c and of h
        assert count(area.parameters) == 9 * read * own + own + cell, area.name


# The space of the search, step by step of its cell.

TEN_STEPS = {  # step → decision → what it may be; kernels and so on of links are below
    "1 feedback at the input": {"edges.feedback.enters": ("input", "hidden", "output")},
    "2 activation of the input": {"local.input.activation": ("elu", "relu", "tanh", "identity")},
    "3 what enters the hidden state": {
        "local.hidden": ("none", "present"),
        "local.hidden.channels": (32, 64, 128),
        "local.hidden.from_input": ("none", "full", "separable"),
        "local.hidden.from_residual": ("none", "full", "separable"),
        "edges.feedback.enters": ("input", "hidden", "output"),
    },
    "4 the gate on the hidden state's past": {
        "local.hidden.keep": ("none", "gate"),
        "local.hidden.keep.function": ("sigmoid", "tanh"),
        "local.hidden.keep.sources.self": ("full", "separable"),
        "local.hidden.keep.sources.input": ("none", "full", "separable"),
        "local.hidden.keep.sources.residual": ("none", "full", "separable"),
    },
    "5 the gate on what enters the hidden state": {
        "local.hidden.admit": ("none", "gate"),
        "local.hidden.admit.function": ("sigmoid", "tanh"),
        "local.hidden.admit.sources.output": ("full", "separable"),
        "local.hidden.admit.sources.input": ("none", "full", "separable"),
        "local.hidden.admit.sources.residual": ("none", "full", "separable"),
    },
    "6 the hidden state": {
        "local.hidden.activation": ("elu", "relu", "tanh", "identity"),
        "local.norm": ("none", "layer"),
    },
    "7 what enters the output": {
        "local.output.from_input": ("none", "full", "separable"),
        "local.output.from_hidden": ("none", "full", "separable"),
        "local.output.bypass": (True, False),
        "edges.feedback.enters": ("input", "hidden", "output"),
    },
    "8 the gate on the output's past": {
        "local.output.keep": ("none", "gate"),
        "local.output.keep.function": ("sigmoid", "tanh"),
        "local.output.keep.sources.self": ("full", "separable"),
        "local.output.keep.sources.input": ("none", "full", "separable"),
        "local.output.keep.sources.residual": ("none", "full", "separable"),
    },
    "9 the gate on what enters the output": {
        "local.output.admit": ("none", "gate"),
        "local.output.admit.function": ("sigmoid", "tanh"),
        "local.output.admit.sources.hidden": ("none", "full", "separable"),
        "local.output.admit.sources.input": ("none", "full", "separable"),
        "local.output.admit.sources.residual": ("none", "full", "separable"),
    },
    "10 the output": {
        "local.output.activation": ("elu", "relu", "tanh", "identity"),
        "local.norm": ("none", "layer"),
    },
}
OFFSETS = [f"local.{gate}.offset" for gate in ("hidden.keep", "hidden.admit", "output.keep", "output.admit")]


@pytest.fixture(scope="module")
def search():
    return parse_space(*find("convrnn-2018"))


@pytest.fixture(scope="module")
def samples(search):
    rng = random.Random(0)
    return [search.sample(rng) for _ in range(300)]


@pytest.mark.parametrize("step", TEN_STEPS)
def test_each_of_the_ten_steps_has_its_decisions(search, samples, step):
    """The options are those of the file, and 300 draws show them all: the seed is fixed, and of all seeds fewer than
    one in a thousand would miss one (each option is drawn at a rate above 0.05, which is missed at 0.95^300 < 1e-6).
    """
    domains = {hole.path: hole.domain for hole in search.holes}
    for path, options in TEN_STEPS[step].items():
        assert isinstance(domains[path], Choice) and domains[path].labels == options
        assert {sample[path] for sample in samples if path in sample} == set(options), path


def test_every_decision_of_the_search_is_of_a_step_an_edge_or_training(search):
    known = {path for decisions in TEN_STEPS.values() for path in decisions}
    for hole in search.holes:
        if hole.path in known:
            continue
        if hole.path.endswith(".kernel"):
            assert isinstance(hole.domain, Integers) and hole.path.removesuffix(".kernel") in known | {VIA}
        elif hole.path in OFFSETS:
            assert isinstance(hole.domain, Reals) and (hole.domain.low, hole.domain.high) == (0.5, 1.0)
        else:
            assert hole.path.startswith(("edges.feedback[", VIA, "edges.feedback.via[2]", "train.")), hole.path


VIA = "edges.feedback.via[1].conv"


def test_the_candidate_edges_are_the_fifteen_among_the_areas_5_to_10(search):
    names = [f"edges.feedback[conv{high}>conv{low}].include" for high in range(6, 11) for low in range(5, high)]
    assert sorted(hole.path for hole in search.holes if hole.path.endswith(".include")) == sorted(names)


def test_the_published_models_are_in_the_space_of_the_search(search):
    """Their cells, but for the offsets of the best one's gates, which were not published, and their activations."""
    open_paths = {hole.path for hole in search.holes}
    for name in ("convrnn-median-feedback", "convrnn-best-cell"):
        architecture, _ = parse_architecture(*find(name))
        cell = write(Record(Architecture), architecture)["areas"]["conv4"]["cell"]
        candidate = decisions_of(cell, "local", open_paths)
        if candidate["local.output.from_hidden"] != "none":  # then it does not gate, and this is not asked
            del candidate["local.output.admit.sources.hidden"]
        candidate |= {"edges.feedback.enters": "output", VIA: "full", f"{VIA}.kernel": 1}
        candidate["edges.feedback.via[2]"] = "identity"
        joined = {f"{edge.source}>{edge.target}" for edge in architecture.edges.feedback}
        for path in open_paths:
            if path.endswith(".include"):
                candidate[path] = path[len("edges.feedback[") : -len("].include")] in joined
        candidate |= {"train.learning_rate": 0.01, "train.weight_decay": 1e-4, "train.max_gradient_norm": 1.0}
        assert search.reject(candidate) is None
        found, graph = search.fill(candidate)
        assert [area.cell for area in found.areas] == [area.cell for area in architecture.areas]
        assert graph.parameter_count == parse_architecture(*find(name))[1].parameter_count


def decisions_of(value, path, open_paths):
    """What decides a part of an architecture, from its plain data."""
    found = {}
    if isinstance(value, dict):
        if "kernel" in value:
            found[path] = "separable" if value["separable"] else "full"
        elif path in open_paths:
            found[path] = "gate" if "sources" in value else "present"
        for key, each in value.items():
            found |= decisions_of(each, f"{path}.{key}", open_paths)
    elif path in open_paths:
        found[path] = value
    return found


def test_the_constraints_refuse_what_does_not_fit_together_and_nothing_else(search):
    rng, rejected = random.Random(1), 0
    for _ in range(400):
        candidate = search.draw(rng)
        joined = any(value is True for path, value in candidate.items() if path.endswith(".include"))
        if search.reject(candidate) is None:
            search.fill(candidate)
        elif joined:
            rejected += 1
            with pytest.raises(SpecificationError):
                search.fill(candidate)
    assert rejected > 0


# The comparison of cells.


def test_the_comparison_has_the_cells_of_figure_2_plain_and_optimised():
    space = parse_space(*find("cells-2018"))
    kinds = {"feedforward": Feedforward, "simple": SimpleRNN, "lstm": ConvLSTM, "gru": ConvGRU, "rgc": ReciprocalGated}
    rng, found = random.Random(0), {}
    while len(found) < 9:
        candidate = space.sample(rng)
        found.setdefault(candidate["local"], []).append((candidate, *space.fill(candidate)))
    for label, drawn in found.items():
        kind, _, how = label.partition("_")
        for candidate, architecture, graph in drawn:
            assert {type(area.cell) for area in architecture.areas[2:]} == {kinds[kind]}
            assert all(isinstance(area.cell, Feedforward) for area in architecture.areas[:2])
            assert [area.shape[1] for area in graph.areas[2:]] == [16, 8, 4]
            assert graph.areas[-1].output_shape == (512, 2, 2)
            inside = [path for path in candidate if path.startswith("local.")]
            assert bool(inside) == (how == "optimised")
    assert next(drawn[0][2].parameter_count for label, drawn in found.items() if label == "feedforward") == 4_197_736
    (steps,) = (hole.domain for hole in space.holes if hole.path == "time.steps")
    assert (steps.low, steps.high) == (6, 16)


def test_the_comparison_network_with_reciprocal_gated_cells_by_hand():
    """Convolutions with biases of 3-64-128-256-256-512 channels (4.20 M with the read-out), and four kernels a cell."""
    _, graph = parse_architecture(*find("rgc-2018"))
    widths = [(3, 64, 7), (64, 128, 3), (128, 256, 3), (256, 256, 3), (256, 512, 3)]
    feedforward = sum(inputs * outputs * kernel**2 + outputs for inputs, outputs, kernel in widths)
    readout = 2 * 2 * 512 * 1000 + 1000
    assert round((feedforward + readout) / 1e6, 2) == 4.20
    cells = 4 * 9 * (256**2 + 256**2 + 512**2)
    assert graph.parameter_count == feedforward + cells + readout == 18_353_512
