"""The searched cell's operations and flow: the ten steps of its equation (`cells/searched.py`), by name.

A sum of convolutions has one bias, held by the first of them that is there. Links that neither gate nor recur
(`output_from_input`, `output_bypass`) start as feedforward kernels do: with the gates open they are the base network.
"""

from __future__ import annotations

from dataclasses import replace

from space.cell_models import HiddenAdmitGate, KeepGate, Link, OutputAdmitGate, Searched, SearchedHidden, SearchedOutput
from space.cell_site import X_READS, CellSite, Flow, LoweredCell
from space.operations import Convolution, Operation, Resizing

_ONE_BY_ONE = Link(kernel=1)


def lower_searched(cell: Searched, site: CellSite) -> LoweredCell:
    """The operations and the flow of a searched cell."""
    return _SearchedLowering(cell, site).lowered()


class _SearchedLowering:
    """One lowering of one searched cell; `widths` are the channels of the points that its links read."""

    def __init__(self, cell: Searched, site: CellSite) -> None:
        self.cell = cell
        self.site = site
        self.operations: dict[str, Operation] = {}
        self.flow: Flow = {"x": X_READS}
        channels, size, _ = site.shape
        self.resized = site.input_shape[1] != size
        self.residual = "residual" if self.resized else "r"
        self.widths = {
            "x": channels,
            self.residual: site.input_shape[0],
            "c": cell.hidden.channels if cell.hidden else 0,
            "h": channels,
        }

    def lowered(self) -> LoweredCell:
        self.refuse_what_does_not_fit()
        if self.cell.hidden:
            self.hidden(self.cell.hidden)
        self.output(self.cell.output)
        self.flow["y"] = ("h'",)
        if any(self.residual in reads for reads in self.flow.values()) and self.resized:
            self.operations = {"residual": Resizing("bilinear", self.site.shape[1]), **self.operations}
            self.flow = {"x": X_READS, "residual": ("r",), **self.flow}
        return LoweredCell(self.operations, self.flow)

    def refuse_what_does_not_fit(self) -> None:
        hidden, output, path, refuse = self.cell.hidden, self.cell.output, self.site.path, self.site.refuse
        gated_by = output.admit.sources if output.admit else None
        if hidden and not (hidden.from_input or hidden.from_residual):
            rule = "a hidden state is fed by `from_input`, `from_residual` or both, but neither was given"
            refuse(f"{path}.hidden", f"{rule}; add one, or write `hidden: none`")
        if gated_by and not (gated_by.hidden or gated_by.input or gated_by.residual):
            rule = "a gate reads something, but none of `hidden`, `input` and `residual` was given"
            refuse(f"{path}.output.admit.sources", f"{rule}; add one, or write `admit: none`")
        readers = {"from_hidden": output.from_hidden, "admit.sources.hidden": gated_by.hidden if gated_by else None}
        present = [key for key, link in readers.items() if link]
        if hidden is None:
            for key in present:
                rule = f"`{key}` reads the hidden state, but this cell has none"
                refuse(f"{path}.output.{key}", f"{rule}; take it away, or give the cell a `hidden`")
        elif len(present) == len(readers):
            rule = "the hidden state is added to the output or gates it, but both were given"
            refuse(f"{path}.output.from_hidden", f"{rule}; make one of from_hidden and admit.sources.hidden `none`")

    def hidden(self, hidden: SearchedHidden) -> None:
        channels = hidden.channels
        terms = self.sum_of(
            {
                "hidden_from_input": (hidden.from_input, "x"),
                "hidden_from_residual": (hidden.from_residual, self.residual),
            },
            channels,
        )
        self.flow["u_c"] = (*terms, "port.hidden")
        keep = self.keep("hidden_keep", hidden.keep, "c", channels)
        admit = self.hidden_admit(hidden.admit, channels)
        self.state("c", channels, "hidden_norm", (*keep, "c", *admit, "u_c"))

    def output(self, output: SearchedOutput) -> None:
        channels = self.site.shape[0]
        fed_by = {"output_from_input": (output.from_input, "x"), "output_from_hidden": (output.from_hidden, "c")}
        terms = self.sum_of(fed_by, channels)
        if output.from_input:
            found = self.operations["output_from_input"]
            assert isinstance(found, Convolution)
            self.operations["output_from_input"] = replace(found, role="feedforward")
        else:
            terms = ("x", *terms)
        if output.bypass:
            terms = (*terms, self.bypass())
        self.flow["u_h"] = (*terms, "port.output")
        keep = self.keep("output_keep", output.keep, "h", channels)
        admit = self.output_admit(output.admit, channels)
        self.state("h", channels, "output_norm", (*keep, "h", *admit, "u_h"))

    def bypass(self) -> str:
        """What carries P(r): the name of its convolution, or of r itself where the channels agree."""
        inputs, channels = self.widths[self.residual], self.site.shape[0]
        if inputs == channels:
            return self.residual
        found = self.site.link(_ONE_BY_ONE, "output_bypass", inputs, channels, bias=False)
        self.operations["output_bypass"] = replace(found, role="feedforward")
        self.flow["output_bypass"] = (self.residual,)
        return "output_bypass"

    def keep(self, name: str, gate: KeepGate | None, state: str, channels: int) -> tuple[str, ...]:
        if gate is None:
            return ()
        read = gate.sources
        links = {"self": (read.own, state), "input": (read.input, "x"), "residual": (read.residual, self.residual)}
        return self.gate(name, links, channels)

    def hidden_admit(self, gate: HiddenAdmitGate | None, channels: int) -> tuple[str, ...]:
        if gate is None:
            return ()
        read = gate.sources
        links = {"output": (read.output, "h"), "input": (read.input, "x"), "residual": (read.residual, self.residual)}
        return self.gate("hidden_admit", links, channels)

    def output_admit(self, gate: OutputAdmitGate | None, channels: int) -> tuple[str, ...]:
        if gate is None:
            return ()
        read = gate.sources
        links = {"hidden": (read.hidden, "c"), "input": (read.input, "x"), "residual": (read.residual, self.residual)}
        return self.gate("output_admit", links, channels)

    def gate(self, name: str, links: dict[str, tuple[Link | None, str]], channels: int) -> tuple[str, ...]:
        self.flow[name] = self.sum_of({f"{name}_{key}": each for key, each in links.items()}, channels)
        return (name,)

    def sum_of(self, links: dict[str, tuple[Link | None, str]], channels: int) -> tuple[str, ...]:
        """Add the convolutions that are there; the first holds the bias of their sum. Returns their names."""
        found: list[str] = []
        for name, (link, point) in links.items():
            if link:
                self.operations[name] = self.site.link(link, name, self.widths[point], channels, bias=not found)
                self.flow[name] = (point,)
                found.append(name)
        return tuple(found)

    def state(self, state: str, channels: int, norm: str, reads: tuple[str, ...]) -> None:
        if self.cell.norm == "layer":
            self.operations[norm] = self.site.norm(norm, channels, groups=1)
            self.flow[norm] = reads
            reads = (norm,)
        self.flow[f"{state}'"] = reads
