import pytest

from config.actors import SYSTEM, Actor


@pytest.mark.parametrize(
    ("actor", "stored"),
    [
        (SYSTEM, "system"),
        (Actor.staff(3), "staff:3"),
        (Actor.client(4), "client:4"),
        (Actor.client(4, contact_id=5), "client:4/contact:5"),
    ],
)
def test_actors_are_stored_by_ids(actor: Actor, stored: str):
    assert str(actor) == stored


@pytest.mark.parametrize(
    "fields",
    [
        {"staff_id": 1, "client_id": 2},
        {"contact_id": 1},
        {"staff_id": 1, "contact_id": 2},
    ],
)
def test_contradicting_actors_are_refused(fields: dict[str, int]):
    with pytest.raises(ValueError, match="client"):
        Actor(**fields)
