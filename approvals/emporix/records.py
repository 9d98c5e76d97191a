"""Records for our imports, each with the object that it is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from companies.imports.plans import Outcome
from companies.imports.records import Record
from config.tables import Fault, Problem

from .objects import Node


@dataclass(slots=True)
class Records:
    """Records of one of our kinds; `fields` has their name for each of our columns."""

    fields: Mapping[str, str]
    records: list[Record] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)  # ids of what became no record

    def add(self, node: Node, values: Mapping[str, str | None]) -> None:
        """One more; a value that is None says nothing."""
        self.nodes.append(node)
        number = len(self.nodes)
        columns, cells = list(values), list(values.values())
        self.records.append(Record(node.file, number, 0, columns, cells))

    def node_of(self, outcome: Outcome) -> Node:
        return self.nodes[outcome.number - 1]

    def refuse(self, outcomes: Sequence[Outcome]) -> None:
        """Say of the objects why their records are refused."""
        for outcome in outcomes:
            for problem in outcome.problems:
                self._refuse(self.node_of(outcome), problem)

    def refuse_late(self, faults: Sequence[Fault]) -> None:
        """The same for what was found out when storing."""
        for fault in faults:
            node = self.nodes[(fault.record or 1) - 1]
            self._refuse(node, Problem(fault.code, fault.message, fault.column))

    def _refuse(self, node: Node, problem: Problem) -> None:
        path = self.fields.get(problem.column or "", "")
        if problem.code == "unknown_parent" and node.data["parentId"] in self.refused:
            node.refuse("parent_refused", _("Its parent is refused."), path)
        else:
            node.refuse(problem.code, problem.message, path)
