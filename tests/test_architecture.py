"""Imports point one way: approvals, groups, companies, integrations, config."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ["config", "integrations", "companies", "groups", "approvals"]  # bottom up
WIRING = {"settings", "urls", "api_router", "wsgi"}  # import everything
PRIVATE = {"admin", "api", "management", "receivers", "tree"}  # of one app
SHARED = {
    ("integrations", "api"),
    ("companies", "api", "filters"),
    ("companies", "api", "acting"),
}
# The proofs of a tree are asked for by others, its numbers never.
SHARED_TREE = {
    ("companies", "tree", "guard", "lock_companies"),
    ("companies", "tree", "check"),
    ("companies", "tree", "load"),
}
TREE_WORDS = {"lft", "rght", "tree_id", "level", "insert_at", "move_to"}
TREE_MODULES = ("companies/tree/", "companies/models/company.py")
MOST_LINES = 500


def modules(layer: str) -> list[Path]:
    found = sorted((ROOT / layer).rglob("*.py"))
    return [
        path
        for path in found
        if "migrations" not in path.parts
        and not (layer == "config" and path.stem in WIRING)
    ]


def imports(path: Path) -> set[tuple[str, ...]]:
    """Dotted names that the module imports, absolutely, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {tuple(name.split(".")) for name in names}


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down(layer: str):
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    for path in modules(layer):
        for name in imports(path):
            assert name[0] not in above, (path.relative_to(ROOT), name)
            assert name[:2] not in {("config", stem) for stem in WIRING}, path


@pytest.mark.parametrize("layer", LAYERS)
def test_apps_keep_out_of_each_others_private_modules(layer: str):
    others = set(LAYERS) - {layer, "config"}
    for path in modules(layer):
        for name in imports(path):
            if name[0] not in others or {name[:2], name[:3]} & SHARED:
                continue
            if {name[:3], name[:4]} & SHARED_TREE:
                continue
            assert name[1] not in PRIVATE, (path.relative_to(ROOT), name)


def test_services_and_rules_know_nothing_of_http():
    for layer in LAYERS:
        for path in modules(layer):
            if {"admin", "api"} & set(path.parts):
                continue  # pages of rules
            if path.stem in ("services", "rules") or "services" in path.parts:
                roots = {name[0] for name in imports(path)}
                assert "rest_framework" not in roots, path.relative_to(ROOT)
                assert ("django", "http", "HttpRequest") not in imports(path), path


def test_nothing_is_imported_inside_functions():
    """Except in AppConfig.ready(): needing it elsewhere means a wrong layer."""
    for layer in LAYERS:
        for path in modules(layer):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.FunctionDef) or node.name == "ready":
                    continue
                inner = [
                    n
                    for n in ast.walk(node)
                    if isinstance(n, ast.Import | ast.ImportFrom)
                ]
                assert inner == [], (path.relative_to(ROOT), node.name)


def words(path: Path) -> set[str]:
    """Attributes, keywords and parts of lookups ("company__level") in the module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                found.add(name)
            case ast.Constant(value=str(text)) if " " not in text:
                found |= set(text.lstrip("-").split("__"))
    return found


def test_nobody_else_knows_the_tree_numbers():
    for layer in LAYERS:
        for path in modules(layer):
            if not path.relative_to(ROOT).as_posix().startswith(TREE_MODULES):
                assert words(path) & TREE_WORDS == set(), path.relative_to(ROOT)


def test_rows_are_locked_in_one_place_only():
    allowed = {"config/db.py", "companies/tree/guard.py"}
    for layer in LAYERS:
        for path in modules(layer):
            if path.relative_to(ROOT).as_posix() not in allowed:
                assert "select_for_update" not in words(path), path.relative_to(ROOT)


def test_files_stay_small():
    for layer in LAYERS:
        for path in modules(layer):
            lines = len(path.read_text().splitlines())
            assert lines <= MOST_LINES, (path.relative_to(ROOT), lines)
