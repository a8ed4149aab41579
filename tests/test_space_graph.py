"""The lowering, against counts and sizes worked out by hand."""

import math

import pytest

from space.errors import SpecificationError
from space.graph import lower
from space.model import (
    Architecture,
    Area,
    Conv,
    ConvLSTM,
    EdgeConv,
    Edges,
    FeedbackEdge,
    Feedforward,
    Input,
    Link,
    MaxPool,
    Readout,
    ReciprocalGated,
    Resize,
    SimpleRNN,
    Time,
    Training,
)
from space.operations import Convolution, LayerNorm, Pooling, Resizing, count


def network(*areas, feedback=(), channels=3, size=16, classes=7, pool="mean", steps=9):
    return lower(
        Architecture(
            striate=1,
            name="net",
            input=Input(channels=channels, size=size, classes=classes),
            time=Time(steps=steps),
            areas=tuple(areas),
            edges=Edges(feedback=tuple(feedback)),
            readout=Readout(pool=pool),
            train=Training(data="digits", learning_rate=0.1),
        )
    )


def area(name, channels, kernel=3, cell=None, post=(), stride=1, separable=False):
    conv = Conv(kernel=kernel, channels=channels, stride=stride, separable=separable)
    return Area(name=name, drive=(conv, "elu"), cell=cell or Feedforward(), post=post)


def test_the_feedforward_comparison_net_has_4_197_736_parameters():
    """Nayebi et al. 2018, figure 2: its published count is 4.20 M, by hand:

    conv1 7·7·3·64 + 64 = 9,472; conv2 9·64·128 + 128 = 73,856; conv3 9·128·256 + 256 = 295,168;
    conv4 9·256·256 + 256 = 590,080; conv5 9·256·512 + 512 = 1,180,160; read-out 2·2·512·1000 + 1000 = 2,049,000.
    """
    pool = (MaxPool(kernel=3, stride=2),)
    graph = network(
        area("conv1", 64, kernel=7, stride=2, post=pool),
        *(area(f"conv{i}", channels, post=pool) for i, channels in enumerate((128, 256, 256, 512), start=2)),
        size=128,
        classes=1000,
        pool="none",
    )
    assert [node.shape for node in graph.areas] == [
        (64, 64, 64),
        (128, 32, 32),
        (256, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
    ]
    assert graph.areas[-1].output_shape == (512, 2, 2)
    assert [count(node.parameters) for node in graph.areas] == [9_472, 73_856, 295_168, 590_080, 1_180_160]
    assert count(graph.readout.parameters) == 2_049_000
    assert graph.parameter_count == 4_197_736


def cell_count(cell, channels=6):
    return count(network(area("V1", channels, cell=cell)).areas[0].parameters) - (9 * 3 * channels + channels)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
def test_the_parameters_of_cells_follow_their_equations(kernel):
    c, full, separable = 6, 36 * kernel**2, 6 * kernel**2 + 36
    for size, link in ((full, Link(kernel=kernel)), (separable, Link(kernel=kernel, separable=True))):
        assert cell_count(Feedforward()) == 0
        assert cell_count(SimpleRNN(hidden=link)) == size + c
        assert cell_count(SimpleRNN(hidden=link, norm="layer")) == size + c + 2 * c
        assert cell_count(ReciprocalGated(keep=link, admit=Link(kernel=2))) == 2 * size + 2 * 36 * 4
    assert cell_count(ConvLSTM(gates=Link(kernel=kernel))) == 2 * 4 * full + 4 * c
    split = 2 * (c * kernel**2 + 4 * 36) + 4 * c
    assert cell_count(ConvLSTM(gates=Link(kernel=kernel, separable=True))) == split
    assert cell_count(ConvLSTM(gates=Link(kernel=kernel), norm="layer")) == 8 * full + 4 * c + 2 * 4 * c + 2 * c


def test_a_separable_convolution_is_depthwise_then_pointwise_with_one_bias():
    graph = network(area("V1", 8, kernel=4, separable=True))
    assert graph.areas[0].parameters == {
        "areas.V1.drive.0.depthwise.weight": (3, 1, 4, 4),
        "areas.V1.drive.0.pointwise.weight": (8, 3, 1, 1),
        "areas.V1.drive.0.pointwise.bias": (8,),
    }


@pytest.mark.parametrize("size", range(1, 20))
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_a_stride_divides_sizes_and_rounds_up(size, stride):
    graph = network(area("V1", 2, kernel=4, stride=stride), size=size)
    assert graph.areas[0].output_shape == (2, math.ceil(size / stride), math.ceil(size / stride))
    pooled = network(area("V1", 2, post=(MaxPool(kernel=1, stride=min(stride, size)),)), size=size)
    assert pooled.areas[0].output_shape[1:] == (math.ceil(size / min(stride, size)),) * 2


def test_an_edge_links_the_emitted_map_of_its_source_to_the_cell_map_of_its_target():
    edge = FeedbackEdge(
        source="V4",
        target="V1",
        enters="hidden",
        via=(Resize(mode="bilinear"), EdgeConv(kernel=2), "elu", EdgeConv(kernel=1)),
    )
    gated = ReciprocalGated(keep=Link(kernel=1), admit=Link(kernel=1))
    halved = (MaxPool(kernel=2, stride=2),)
    graph = network(area("V1", 5, cell=gated, post=halved), area("V2", 6), area("V4", 7, post=halved), feedback=[edge])
    (node,) = graph.long_range
    assert (node.name, node.source, node.target, node.port) == ("V4>V1", 2, 0, "hidden")
    assert node.operations[0] == Resizing("bilinear", 16)
    assert node.parameters == {
        "edges.V4>V1.1.weight": (5, 7, 2, 2),
        "edges.V4>V1.1.bias": (5,),
        "edges.V4>V1.3.weight": (5, 5, 1, 1),
        "edges.V4>V1.3.bias": (5,),
    }
    assert graph.areas[2].output_shape == (7, 4, 4)


def test_every_parameter_has_a_name_of_its_own():
    gated = ReciprocalGated(keep=Link(kernel=3), admit=Link(kernel=3, separable=True))
    lstm = ConvLSTM(gates=Link(kernel=2), norm="layer")
    edges = [
        FeedbackEdge(source=high, target="V1", via=(Resize(mode="nearest"), EdgeConv(kernel=1)))
        for high in ("V2", "V4")
    ]
    graph = network(area("V1", 4, cell=gated), area("V2", 4, cell=lstm), area("V4", 4), feedback=edges)
    parts = [*graph.areas, *graph.long_range, graph.readout]
    assert sum(len(part.parameters) for part in parts) == len(graph.parameters)
    assert graph.parameter_count == sum(count(part.parameters) for part in parts)
    norms = [each for each in graph.areas[1].cell_operations.values() if isinstance(each, LayerNorm)]
    assert [(norm.channels, norm.groups) for norm in norms] == [(16, 4), (4, 1)]


def test_the_read_out_sees_the_mean_or_the_whole_map():
    assert network(area("V1", 4), size=5).readout.inputs == 4
    assert network(area("V1", 4), size=5, pool="none").readout.inputs == 4 * 5 * 5


def test_convolutions_in_cells_are_recurrent_and_others_feedforward():
    graph = network(area("V1", 4, cell=SimpleRNN(hidden=Link(kernel=3)), post=(Conv(kernel=1, channels=2),)))
    node = graph.areas[0]
    roles = [
        each.role for each in (*node.drive, *node.cell_operations.values(), *node.post) if isinstance(each, Convolution)
    ]
    assert roles == ["feedforward", "recurrent", "feedforward"]


def test_a_pool_may_cover_its_map_and_no_more():
    assert network(area("V1", 2, post=(MaxPool(kernel=4, stride=4),)), size=4).areas[0].post == (Pooling(4, 4),)
    for kernel, stride in ((5, 1), (1, 5), (5, 5)):
        with pytest.raises(SpecificationError, match="a pool's kernel and stride fit its map of 4×4"):
            network(area("V1", 2, post=(MaxPool(kernel=kernel, stride=stride),)), size=4)


def test_an_image_reaches_the_read_out_one_step_after_the_last_area():
    assert network(area("V1", 2), area("V2", 2), steps=3).steps == 3
    with pytest.raises(SpecificationError, match="in 3 steps, but 2 were given; give at least 3"):
        network(area("V1", 2), area("V2", 2), steps=2)
