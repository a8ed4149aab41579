"""The lowering of the searched cell: what it learns, by hand, and what it refuses."""

import pytest

from space.cell_equations import add_cell
from space.dataflow import Builder, Image
from space.errors import SpecificationError
from space.operations import Convolution, LayerNorm, Resizing, count
from space.parse import parse_architecture

R, DRIVE = 0, 1
WHOLE = """{type: searched, norm: layer, input: {activation: relu},
      hidden: {channels: 5, from_input: {kernel: 2}, from_residual: {kernel: 3},
        keep: {function: tanh, offset: 0.5, scale: 2, sources: {self: {kernel: 3}, input: {kernel: 1},
          residual: {kernel: 1}}},
        admit: {sources: {output: {kernel: 1}, input: {kernel: 1}, residual: {kernel: 1}}}},
      output: {from_input: {kernel: 3}, bypass: true,
        keep: {sources: {self: {kernel: 3, separable: true}, input: {kernel: 1}, residual: {kernel: 1}}},
        admit: {sources: {hidden: {kernel: 2}, input: {kernel: 1}, residual: {kernel: 1}}}}}"""


def text(cell, drive="conv: {kernel: 3, channels: 4}", edges="[]"):
    return f"""striate: 1
name: net
input: {{channels: 3, size: 8, classes: 2}}
time: {{steps: 4}}
areas:
  V1:
    drive: [{drive}]
    cell: {cell}
  V2: {{drive: [conv: {{kernel: 1, channels: 4}}]}}
edges: {{feedback: {edges}}}
train: {{data: digits, learning_rate: 0.1}}
"""


def lowered(cell, drive="conv: {kernel: 3, channels: 4}"):
    return parse_architecture(text(cell, drive), "net.yaml")[1].areas[0]


def nodes_of(area):
    """The dataflow of an area's cell; its first node is r, the second x̂."""
    build = Builder()
    for name, shape in (("r", area.input_shape), ("drive", area.shape)):
        build.add(name, Image(), (), shape, name)
    build.states = {name: build.add(name, Image(), (), area.shape, name) for name in ("c", "h")}
    add_cell(build, area, R, DRIVE, {})
    return build.nodes


def refused(cell, **options):
    with pytest.raises(SpecificationError) as caught:
        parse_architecture(text(cell, **options), "net.yaml")
    return [(problem.path, problem.message) for problem in caught.value.problems]


def test_a_cell_with_everything_learns_this():
    """Widths: r 3, x and h 4, c 5; a bias for each sum, held by its first convolution; P(r) has none."""
    area = lowered(WHOLE)
    shapes = {name.removeprefix("areas.V1.cell."): shape for name, shape in area.parameters.items()}
    assert {name: shape for name, shape in shapes.items() if not name.startswith("areas.V1.drive")} == {
        "hidden_from_input.weight": (5, 4, 2, 2),
        "hidden_from_input.bias": (5,),
        "hidden_from_residual.weight": (5, 3, 3, 3),
        "hidden_keep_self.weight": (5, 5, 3, 3),
        "hidden_keep_self.bias": (5,),
        "hidden_keep_input.weight": (5, 4, 1, 1),
        "hidden_keep_residual.weight": (5, 3, 1, 1),
        "hidden_admit_output.weight": (5, 4, 1, 1),
        "hidden_admit_output.bias": (5,),
        "hidden_admit_input.weight": (5, 4, 1, 1),
        "hidden_admit_residual.weight": (5, 3, 1, 1),
        "hidden_norm.weight": (5,),
        "hidden_norm.bias": (5,),
        "output_from_input.weight": (4, 4, 3, 3),
        "output_from_input.bias": (4,),
        "output_bypass.weight": (4, 3, 1, 1),
        "output_keep_self.depthwise.weight": (4, 1, 3, 3),
        "output_keep_self.pointwise.weight": (4, 4, 1, 1),
        "output_keep_self.pointwise.bias": (4,),
        "output_keep_input.weight": (4, 4, 1, 1),
        "output_keep_residual.weight": (4, 3, 1, 1),
        "output_admit_hidden.weight": (4, 5, 2, 2),
        "output_admit_hidden.bias": (4,),
        "output_admit_input.weight": (4, 4, 1, 1),
        "output_admit_residual.weight": (4, 3, 1, 1),
        "output_norm.weight": (4,),
        "output_norm.bias": (4,),
    }
    norms = [each for each in area.cell_operations.values() if isinstance(each, LayerNorm)]
    assert [(norm.channels, norm.groups) for norm in norms] == [(5, 1), (4, 1)]


def test_without_a_hidden_state_all_that_reads_it_is_gone():
    area = lowered("{type: searched, output: {keep: {sources: {self: {kernel: 3}}}}}")
    assert list(area.cell_operations) == ["output_keep_self"]
    nodes = nodes_of(area)
    read = {nodes[each].name for node in nodes for each in node.inputs}
    assert "c" not in read and "h" in read


def test_a_bypass_learns_only_where_the_channels_change():
    bypass = "{type: searched, output: {keep: none, bypass: true}}"
    assert lowered(bypass, "conv: {kernel: 3, channels: 3}").cell_operations == {}
    changed = lowered(bypass).cell_operations
    assert count(changed["output_bypass"].parameters) == 3 * 4


def test_what_an_area_reads_is_resized_once_for_all_that_read_it():
    whole = lowered(WHOLE, "conv: {kernel: 3, channels: 4, stride: 2}")
    assert whole.cell_operations["residual"] == Resizing("bilinear", 4)
    nodes = nodes_of(whole)
    assert [node.name for node in nodes if R in node.inputs] == ["residual"]
    resized = next(position for position, node in enumerate(nodes) if node.name == "residual")
    readers = {"hidden_from_residual", "hidden_keep_residual", "hidden_admit_residual", "output_bypass"}
    readers |= {"output_keep_residual", "output_admit_residual"}
    assert {node.name for node in nodes if resized in node.inputs} == readers
    assert "residual" not in lowered(WHOLE).cell_operations
    unread = "{type: searched, output: {keep: none}}"
    assert lowered(unread, "conv: {kernel: 3, channels: 4, stride: 2}").cell_operations == {}


def test_the_links_that_carry_the_base_network_start_as_feedforward_kernels_do():
    roles = {name: each.role for name, each in lowered(WHOLE).cell_operations.items() if isinstance(each, Convolution)}
    assert {name for name, role in roles.items() if role == "feedforward"} == {"output_from_input", "output_bypass"}


KEEP = "keep: {sources: {self: {kernel: 1}}}"
HIDDEN = f"hidden: {{channels: 2, from_input: {{kernel: 1}}, {KEEP}}}"
REFUSED = {
    f"{{type: searched, hidden: {{channels: 2, {KEEP}}}, output: {{{KEEP}}}}}": (
        "areas.V1.cell.hidden",
        "a hidden state is fed by `from_input`, `from_residual` or both, but neither was given; add one, or write "
        "`hidden: none`",
    ),
    f"{{type: searched, output: {{{KEEP}, admit: {{sources: {{}}}}}}}}": (
        "areas.V1.cell.output.admit.sources",
        "a gate reads something, but none of `hidden`, `input` and `residual` was given; add one, or write "
        "`admit: none`",
    ),
    f"{{type: searched, output: {{{KEEP}, from_hidden: {{kernel: 1}}}}}}": (
        "areas.V1.cell.output.from_hidden",
        "`from_hidden` reads the hidden state, but this cell has none; take it away, or give the cell a `hidden`",
    ),
    f"{{type: searched, output: {{{KEEP}, admit: {{sources: {{hidden: {{kernel: 1}}}}}}}}}}": (
        "areas.V1.cell.output.admit.sources.hidden",
        "`admit.sources.hidden` reads the hidden state, but this cell has none; take it away, or give the cell a "
        "`hidden`",
    ),
    f"{{type: searched, {HIDDEN}, output: {{{KEEP}, from_hidden: {{kernel: 1}}, "
    "admit: {sources: {hidden: {kernel: 1}}}}}": (
        "areas.V1.cell.output.from_hidden",
        "the hidden state is added to the output or gates it, but both were given; make one of from_hidden and "
        "admit.sources.hidden `none`",
    ),
}


@pytest.mark.parametrize("cell", REFUSED)
def test_what_does_not_fit_together_is_refused(cell):
    assert refused(cell) == [REFUSED[cell]]


def test_feedback_enters_the_hidden_port_of_a_searched_cell_that_has_a_hidden_state():
    edge = "[{from: V2, to: V1, enters: hidden, via: [conv: {kernel: 1}]}]"
    stateless = f"{{type: searched, output: {{{KEEP}}}}}"
    assert refused(stateless, edges=edge) == [
        (
            "edges.feedback[V2>V1].enters",
            "the searched cell of V1 has the ports input, output, but V2>V1 enters at hidden; enter at input, or use "
            "another cell",
        )
    ]
