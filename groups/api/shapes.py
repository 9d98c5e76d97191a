"""What the API shows of customer groups: declared once, here."""

from companies.models import Company
from config.api.rows import Shape, made, related
from groups.models.group import shown_name

COMPANY = related(
    lambda client: Company.objects.visible_to(client).order_by(),
    Shape("id", "code", "name"),
    "company_id",
)

CUSTOMER_GROUP = Shape(
    "id",
    expandable={"company": COMPANY},
    company="company_id",
    kind="kind",
    name=made(shown_name, "kind", "name", "company__name"),
    code="code",
    price_list="price_list",
    version="version",
    created_at="created_at",
    updated_at="updated_at",
)


def _why(assignment: int | None) -> str:
    return "by_hand" if assignment is None else "assignment"


MEMBER = Shape(
    contact="contact_id",
    why=made(_why, "assignment"),
    assignment="assignment",
    in_force="in_force",
)
