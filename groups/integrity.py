"""What must hold of customer groups (rules G1 and G3)."""

from collections.abc import Iterator

from config.integrity import Broken, proves
from groups.check import find_group_faults

CHECKS_OF_FAULTS = {  # the other kinds are rows that stay, and do not count
    "missing_group": "groups.four",
    "second_group": "groups.four",
    "stored_member": "groups.members",
}


@proves({"groups.four": "faults", "groups.members": "faults"})
def groups() -> Iterator[Broken]:
    for fault in find_group_faults():
        if fault.kind in CHECKS_OF_FAULTS:
            yield CHECKS_OF_FAULTS[fault.kind], fault.sentence
