"""The drawing of cells, read back as XML: their optional connections and gates."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from drawings import HEAD, assert_readable, line_of, parts, space_of, words

from space.draw import draw
from space.draw_wiring import WIRINGS
from space.forms import Optional, Record, fields
from space.model import CELLS

SEARCHED = f"""{HEAD}
templates:
  link: {{body: {{kernel: {{int: [1, 8]}}, separable: {{bool: 0.5}}}}}}
  maybe: {{body: {{choice: {{none: none, link: {{use: link}}}}, weights: [1, 3]}}}}
areas:
  V1: {{drive: [conv: {{kernel: 3, channels: 8}}]}}
  V2:
    drive: [conv: {{kernel: 3, channels: 8}}]
    cell:
      type: searched
      hidden:
        choice:
          none: none
          present:
            channels: {{choice: [16, 32]}}
            from_input: {{use: link}}
            from_residual: {{use: maybe}}
            keep: {{function: {{choice: [sigmoid, tanh]}}, sources: {{self: {{use: link}}, input: {{use: maybe}}}}}}
            admit: {{choice: {{none: none, gate: {{sources: {{output: {{use: link}}}}}}}}}}
        weights: [1, 4]
      output:
        from_input: {{use: link}}
        bypass: {{bool: 0.25}}
        keep: {{sources: {{self: {{use: link}}, residual: {{use: maybe}}}}}}
      norm: {{choice: [none, layer]}}
"""


def gate_rows(gate: ET.Element) -> list[str]:
    return words(gate)[1:]


def test_the_searched_cell_shows_every_optional_connection() -> None:
    root = ET.fromstring(draw(space_of(SEARCHED)))
    (cell,) = parts(root, "cell")
    wires = {(each.attrib["data-from"], each.attrib["data-to"]): each for each in parts(cell, "wire")}
    dashed = {pair for pair, wire in wires.items() if line_of(wire).get("stroke-dasharray")}
    assert wires.keys() == {
        ("r", "x"), ("x", "Σc"), ("r", "Σc"), ("Σc", "c"), ("c", "c"), ("x", "Σh"), ("r", "Σh"), ("Σh", "h"),
        ("h", "h"), ("h", "y"),
    }  # fmt: skip
    assert dashed == {("r", "Σc"), ("r", "Σh"), ("Σc", "c"), ("c", "c")}
    assert words(wires["r", "Σc"]) == ["1–8 sep. 0.5", "0.75"]
    assert words(wires["r", "Σh"]) == ["bypass P(r)", "0.25"]
    gates = {gate.attrib["data-place"]: gate for gate in parts(cell, "gate")}
    assert gate_rows(gates["keep c"]) == ["σ | tanh", "c", "1–8 sep. 0.5", "x", "1–8 sep. 0.5", "0.75"]
    assert gate_rows(gates["admit c"]) == ["σ", "0.5", "h", "1–8 sep. 0.5"]
    assert gate_rows(gates["keep h"]) == ["σ", "h", "1–8 sep. 0.5", "r", "1–8 sep. 0.5", "0.75"]
    assert "admit h" not in gates
    assert "p = 0.8" in words(cell) and "16 | 32 channels" in words(cell) and "layer norm 0.5" in words(cell)
    assert_readable(root)


def test_every_type_of_cell_has_a_wiring_whose_keys_are_its_own() -> None:
    assert WIRINGS.keys() == {name for name, _ in CELLS}
    for name, cls in CELLS:
        wiring = WIRINGS[name]
        assert all(gate.key or not gate.sources for gate in wiring.gates)
        keys = [wire.key for wire in wiring.wires] + [gate.key for gate in wiring.gates]
        keys += [gate.peephole for gate in wiring.gates]
        keys += [key for _, key in wiring.activations] + [wiring.hidden.replace("always", "")]
        keys += [f"{gate.key}.sources.{key}" for gate in wiring.gates for _, key in gate.sources if key]
        for key in filter(None, keys):
            form: object = Record(cls)
            for part in key.split("."):
                record = form.form if isinstance(form, Optional) else form
                assert isinstance(record, Record)
                form = {field.key: field.form for field in fields(record.cls)}[part]


CHOSEN = f"""{HEAD}
areas:
  V1:
    drive: [conv: {{kernel: 3, channels: 8}}]
    cell:
      choice:
        decaying: {{type: time_decay}}
        peeping: {{type: lstm, gates: {{kernel: 3}}, peepholes: {{bool: 0.3}}}}
        update: {{type: ugrnn, gates: {{kernel: {{int: [1, 4]}}}}}}
        crossing: {{type: intersection, gates: {{kernel: 3, separable: true}}}}
"""


def test_the_cells_of_2017_show_their_gates_and_peepholes_are_optional() -> None:
    root = ET.fromstring(draw(space_of(CHOSEN)))
    cells = {cell.attrib["data-type"]: cell for cell in parts(root, "cell")}
    shown = {name: {gate.attrib["data-place"]: gate for gate in parts(cell, "gate")} for name, cell in cells.items()}
    assert words(shown["time_decay"]["keep h"]) == ["×", "τ"]
    assert gate_rows(shown["ugrnn"]["keep h"]) == ["σ(g + 1)", "x", "1–4", "h", "1–4"]
    assert gate_rows(shown["intersection"]["admit h"]) == ["1 − σ(gₕ + 1)", "x", "3×3 sep.", "h", "3×3 sep."]
    for place in ("keep c", "admit c", "emit"):
        assert gate_rows(shown["lstm"][place])[-3:] == ["c", "by channel", "0.3"]
    emitted = {
        name: [words(each) for each in parts(cell, "wire") if each.attrib["data-to"] == "y"]
        for name, cell in cells.items()
    }
    assert emitted == {"time_decay": [["y"]], "lstm": [["y"]], "ugrnn": [["y"]], "intersection": [["y of x and h"]]}
    assert_readable(root)
