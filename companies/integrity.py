"""What must hold of companies: the tree is what the parents say (rules T1 to T5)."""

from collections.abc import Iterable, Iterator

from companies.tree.check import find_tree_faults, find_wrong_scopes
from config.integrity import Broken, proves

# Each kind of fault breaks one check; what is no kind of its own breaks the numbers.
CHECKS_OF_FAULTS = {
    "cycle": "tree.cycle",
    "missing_parent": "tree.cycle",
    "head_without_own_tree": "tree.heads",
    "other_hierarchy": "tree.heads",
    "too_deep": "tree.depth",
}


@proves(
    {
        "tree.cycle": "companies",
        "tree.heads": "companies",
        "tree.depth": "companies",
        "tree.numbers": "companies",
    }
)
def tree() -> Iterator[Broken]:
    for fault in find_tree_faults():
        check = CHECKS_OF_FAULTS.get(fault.kind, "tree.numbers")
        yield from ((check, company) for company in fault.companies)


@proves({"tree.scope": "companies"})
def scope() -> Iterable[Broken]:
    return [("tree.scope", pk) for pk in find_wrong_scopes()]
