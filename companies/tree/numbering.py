"""Number hierarchies anew from the parents, which are the truth, in one statement."""

from collections.abc import Collection

from companies.models.company import Company
from config.db import require_write_transaction


def renumber(heads: Collection[int] | None = None) -> int:
    """Number the hierarchies of these head companies, None: all; how many rows changed.

    Siblings keep the order they have, so that a sound tree stays as it is. Whoever
    calls has closed the gate, and knows that no parents form a cycle.
    """
    connection = require_write_transaction()
    params = [] if heads is None else sorted(heads)
    statement = _statement(connection.vendor, None if heads is None else len(params))
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


def _statement(vendor: str, heads: int | None) -> str:
    """Each company is listed twice, where it begins and where it ends (after all below
    it); the place in this list is its lft and its rght. Siblings are ordered by their
    present lft.
    """
    if vendor == "postgresql":
        begin = "ARRAY[]::bigint[]"
        step = "walk.path || ARRAY[c.lft, c.id]"
        end = "path || 9223372036854775807"
    else:  # hexadecimal digits in a fixed width are ordered as their numbers are
        begin = "''"
        step = "walk.path || printf('%%016x%%016x', c.lft, c.id)"
        end = "path || '~'"
    table = Company._meta.db_table
    which = "" if heads is None else f"AND id IN ({', '.join(['%s'] * heads)})"
    return f"""
        UPDATE {table} SET lft = wanted.lft, rght = wanted.rght,
            level = wanted.level, tree_id = wanted.head
        FROM (
            WITH RECURSIVE walk(id, head, level, path) AS (
                SELECT id, id, 0, {begin} FROM {table} WHERE parent_id IS NULL {which}
                UNION ALL
                SELECT c.id, walk.head, walk.level + 1, {step}
                FROM {table} c JOIN walk ON c.parent_id = walk.id
            ),
            ends(id, head, level, path) AS (
                SELECT id, head, level, path FROM walk
                UNION ALL
                SELECT id, head, level, {end} FROM walk
            ),
            numbered(id, head, level, number) AS (
                SELECT id, head, level,
                    row_number() OVER (PARTITION BY head ORDER BY path)
                FROM ends
            )
            SELECT id, head, level, min(number) AS lft, max(number) AS rght
            FROM numbered GROUP BY id, head, level
        ) AS wanted
        WHERE {table}.id = wanted.id
            AND ({table}.lft, {table}.rght, {table}.level, {table}.tree_id)
            <> (wanted.lft, wanted.rght, wanted.level, wanted.head)
    """  # noqa: S608  (words of our own only)
