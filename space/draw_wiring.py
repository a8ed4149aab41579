"""What a drawing of a cell shows, for each type: which points its links join, what its gates read, by key.

Points: `r` what the area reads, `x` its drive, `c` the hidden and `h` the output state; `Σc` and `Σh` are the sums that
enter a state. Only the layout of a drawing is decided here: what a cell computes is in its docstring in `cells/`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection between two points.

    Arguments:
        source: the point that is read.
        target: the sum or state that it enters.
        key: where its link stands in the cell; empty for a wire without one.
        role: what is written on it.
        plain: whether it is there without the link, as the identity.

    """

    source: str
    target: str
    key: str = ""
    role: str = ""
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate multiplies what passes a place: `keep` on a state's own past, `admit` before a state, `emit`, `reset`.

    Arguments:
        place: `keep c`, `keep h`, `admit c`, `admit h`, `emit` (from c to h) or `reset` (from h to Σh).
        key: where the gate stands in the cell; empty for one that reads nothing.
        sources: each point that it reads, and its link's key in the gate; the gate itself where that is empty.
        function: what is written in it, where it is not the gate's own key `function`.
        peephole: the key of a cell's flag by which the gate reads c, each channel its own; empty where there is none.

    """

    place: str
    key: str
    sources: tuple[tuple[str, str], ...]
    function: str = ""
    peephole: str = ""


@dataclass(frozen=True, slots=True)
class Wiring:
    """A type of cell: its equations, the keys of its states' activations (or their words), its wires and gates.

    `hidden` is the key of a hidden state that may be absent, `always`, or empty where there is none; `normed` are the
    states that `norm` normalises; `emits` says what leaves the cell.
    """

    equations: tuple[str, ...]
    wires: tuple[Wire, ...] = ()
    gates: tuple[Gate, ...] = ()
    hidden: str = ""
    activations: tuple[tuple[str, str], ...] = ()
    normed: tuple[str, ...] = ()
    has_output: bool = True
    emits: str = "y"


_BOTH = (("x", ""), ("h", ""))
WIRINGS = {
    "feedforward": Wiring(("y = x: no state",), has_output=False),
    "time_decay": Wiring(
        ("h' = τ·h + x, τ one learnt number",),
        (Wire("x", "Σh"),),
        (Gate("keep h", "", (), "τ"),),
    ),
    "simple": Wiring(
        ("h' = φ(LN?(x + W*h + b))",),
        (Wire("x", "Σh"), Wire("h", "Σh", "hidden")),
        activations=(("h", "activation"),),
        normed=("h",),
    ),
    "gru": Wiring(
        ("u, g = σ(W*[x, h] + b); n = tanh(Wₙ*[x, g∘h] + bₙ)", "h' = u∘h + (1 − u)∘n"),
        (Wire("x", "Σh", "candidate"), Wire("h", "Σh", "candidate")),
        (
            Gate("reset", "gates", _BOTH, "g = σ"),
            Gate("admit h", "gates", _BOTH, "1 − u"),
            Gate("keep h", "gates", _BOTH, "u = σ"),
        ),
    ),
    "lstm": Wiring(
        ("i, j, f, o = W*[x, h] + b", "c' = σ(f + 1)∘c + σ(i)∘tanh(j); h' = tanh(c')∘σ(o); peepholes: o reads c'"),
        (Wire("x", "Σc", "gates", "j"), Wire("h", "Σc", "gates", "j"), Wire("c", "h")),
        (
            Gate("keep c", "gates", _BOTH, "σ(f + 1)", peephole="peepholes"),
            Gate("admit c", "gates", _BOTH, "σ(i)", peephole="peepholes"),
            Gate("emit", "gates", _BOTH, "σ(o)", peephole="peepholes"),
        ),
        hidden="always",
        normed=("c",),
    ),
    "ugrnn": Wiring(
        ("g, n = W*[x, h] + b", "h' = σ(g + 1)∘h + (1 − σ(g + 1))∘tanh(n)"),
        (Wire("x", "Σh", "gates", "n"), Wire("h", "Σh", "gates", "n")),
        (Gate("admit h", "gates", _BOTH, "1 − σ(g + 1)"), Gate("keep h", "gates", _BOTH, "σ(g + 1)")),
    ),
    "intersection": Wiring(
        (
            "gₕ, nₕ, gᵧ, nᵧ = W*[x, h] + b; h' = σ(gₕ + 1)∘h + (1 − σ(gₕ + 1))∘tanh(nₕ)",
            "y = σ(gᵧ + 1)∘x + (1 − σ(gᵧ + 1))∘relu(nᵧ)",
        ),
        (Wire("x", "Σh", "gates", "nₕ"), Wire("h", "Σh", "gates", "nₕ")),
        (Gate("admit h", "gates", _BOTH, "1 − σ(gₕ + 1)"), Gate("keep h", "gates", _BOTH, "σ(gₕ + 1)")),
        emits="y of x and h",
    ),
    "reciprocal_gated": Wiring(
        ("h' = φ[(1 − σ(W*c))∘x + (1 − σ(W*h))∘h]", "c' = φ[(1 − σ(W*h))∘x + (1 − σ(W*c))∘c]"),
        (Wire("x", "Σh"), Wire("x", "Σc")),
        (
            Gate("keep c", "keep", (("c", ""),), "1 − σ"),
            Gate("admit c", "admit", (("h", ""),), "1 − σ"),
            Gate("admit h", "admit", (("c", ""),), "1 − σ"),
            Gate("keep h", "keep", (("h", ""),), "1 − σ"),
        ),
        hidden="always",
        activations=(("c", "activation"), ("h", "activation")),
    ),
    "searched": Wiring(
        (
            "c' = φ(LN?(keep∘c + admit∘(W*x + W*r)))",
            "h' = φ(LN?(keep∘h + admit∘((W*x or x) + W*c + P(r))))",
            "a gate is o + k·f(sum of what its table lists), k = −o unless it is given",
        ),
        (
            Wire("x", "Σh", "output.from_input", plain=True),
            Wire("r", "Σh", "output.bypass", "bypass P(r)"),
            Wire("c", "Σh", "output.from_hidden"),
            Wire("x", "Σc", "hidden.from_input"),
            Wire("r", "Σc", "hidden.from_residual"),
        ),
        (
            Gate("keep c", "hidden.keep", (("c", "self"), ("x", "input"), ("r", "residual"))),
            Gate("admit c", "hidden.admit", (("h", "output"), ("x", "input"), ("r", "residual"))),
            Gate("admit h", "output.admit", (("c", "hidden"), ("x", "input"), ("r", "residual"))),
            Gate("keep h", "output.keep", (("h", "self"), ("x", "input"), ("r", "residual"))),
        ),
        hidden="hidden",
        activations=(("c", "hidden.activation"), ("h", "output.activation")),
        normed=("c", "h"),
    ),
}
