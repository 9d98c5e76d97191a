"""The limit of benchmarks/scale.py: what api_bare.py does not answer yet."""

import json
from collections import Counter
from urllib.parse import parse_qs

import api_bare
from api_bare import STATEMENTS, answer, connected
from api_bare_sql import COMPANY, EVENT, HISTORY, PAGE

MOST_NODES = 2_000
NODE = "id, code, name, status, parent_id, (rght - lft - 1) / 2, level"
TREE = f"""SELECT {NODE} FROM companies_company
    WHERE tree_id = %(id)s ORDER BY level, id LIMIT {MOST_NODES}"""
CHILDREN = """SELECT parent_id, count(*) FROM companies_company
    WHERE parent_id = ANY(%(edge)s) GROUP BY 1"""
HOLDS = "c.search_text LIKE %({})s"
MOVE = f"""WITH node AS (
        SELECT * FROM companies_company WHERE id = %(id)s FOR UPDATE
    ), target AS (
        SELECT * FROM companies_company WHERE id = %(parent)s FOR UPDATE
    ), moved AS (
        UPDATE companies_company o SET
            tree_id = t.tree_id,
            lft = CASE WHEN o.tree_id = n.tree_id THEN o.lft + t.rght - 1
                WHEN o.lft > t.rght THEN o.lft + n.rght ELSE o.lft END,
            rght = CASE WHEN o.tree_id = n.tree_id THEN o.rght + t.rght - 1
                ELSE o.rght + n.rght END,
            level = CASE WHEN o.tree_id = n.tree_id THEN o.level + t.level + 1
                ELSE o.level END,
            parent_id = CASE WHEN o.id = n.id THEN t.id ELSE o.parent_id END,
            version = CASE WHEN o.id = n.id THEN o.version + 1 ELSE o.version END,
            updated_at = CASE WHEN o.id = n.id THEN now() ELSE o.updated_at END
        FROM node n, target t WHERE o.tree_id = n.tree_id
            OR o.tree_id = t.tree_id AND o.rght >= t.rght RETURNING o.*
    ), c AS (SELECT * FROM moved WHERE id = %(id)s),
    kept AS ({HISTORY.format(kind="~")})
    {EVENT.format(stream="c.id", type="company.moved")}
    SELECT {COMPANY}::text FROM c"""
LIFT = f"""WITH node AS (
        SELECT * FROM companies_company WHERE id = %(id)s FOR UPDATE
    ), moved AS (
        UPDATE companies_company o SET
            tree_id = CASE WHEN o.lft BETWEEN n.lft AND n.rght
                THEN n.id ELSE o.tree_id END,
            lft = CASE WHEN o.lft BETWEEN n.lft AND n.rght THEN o.lft - n.lft + 1
                WHEN o.lft > n.rght THEN o.lft - n.rght + n.lft - 1 ELSE o.lft END,
            rght = CASE WHEN o.lft BETWEEN n.lft AND n.rght THEN o.rght - n.lft + 1
                ELSE o.rght - n.rght + n.lft - 1 END,
            level = CASE WHEN o.lft BETWEEN n.lft AND n.rght
                THEN o.level - n.level ELSE o.level END,
            parent_id = CASE WHEN o.id = n.id THEN NULL ELSE o.parent_id END,
            version = CASE WHEN o.id = n.id THEN o.version + 1 ELSE o.version END,
            updated_at = CASE WHEN o.id = n.id THEN now() ELSE o.updated_at END
        FROM node n WHERE o.tree_id = n.tree_id
            AND (o.lft BETWEEN n.lft AND n.rght OR o.rght > n.rght) RETURNING o.*
    ), c AS (SELECT * FROM moved WHERE id = %(id)s),
    kept AS ({HISTORY.format(kind="~")})
    {EVENT.format(stream="c.id", type="company.moved")}
    SELECT {COMPANY}::text FROM c"""
STATEMENTS |= {
    "by-name": PAGE.format(
        where="(c.name, c.id) > (%(name)s, %(after)s)", order="name, id", count=""
    ),
    "code": PAGE.format(where="lower(c.code) = %(code)s", order="id", count=""),
    "number": PAGE.format(where="c.registration_id = %(number)s", order="id", count=""),
    "search1": PAGE.format(where=HOLDS.format("word0"), order="id", count=""),
    "search2": PAGE.format(
        where=" AND ".join(HOLDS.format(f"word{n}") for n in range(2)),
        order="id",
        count="",
    ),
    "search3": PAGE.format(
        where=" AND ".join(HOLDS.format(f"word{n}") for n in range(3)),
        order="id",
        count="",
    ),
    "move": MOVE,
    "lift": LIFT,
}


def application(environ, start_response):
    if environ["PATH_INFO"] != "/tree":
        return api_bare.application(environ, start_response)
    (company,) = map(int, parse_qs(environ["QUERY_STRING"])["id"])
    body = json.dumps(tree(company), separators=(",", ":")).encode()
    return answer(body, start_response)


def tree(company):
    """Nested, the upper ones first; `next` where children are left out."""
    connection = connected()
    rows = connection.execute(TREE, {"id": company}).fetchall()
    counts = Counter(row[4] for row in rows[1:])
    edge = [row[0] for row in rows if row[5] and row[6] >= rows[-1][6] - 1]
    counts |= dict(connection.execute(CHILDREN, {"edge": edge}).fetchall())
    nodes = {}
    for pk, code, name, status, parent, below, _level in rows:
        nodes[pk] = {
            "id": pk,
            "code": code,
            "name": name,
            "status": status,
            "children_count": counts[pk],
            "descendants_count": below,
            "children": [],
            "next": None,
        }
        if pk != company:
            nodes[parent]["children"].append(nodes[pk])
    for pk, node in nodes.items():
        if len(node["children"]) < node["children_count"]:
            node["next"] = f"/api/v1/companies/{pk}/children/"
    return nodes[company]
