"""Tables out of files: CSV, JSON lines, workbooks, gzipped or not, from anybody.

`open_table()` tells what a file is by its content and gives its header and its rows.
What is wrong with the whole file raises FileRefused; what is wrong with one row is a
Problem of that row. Nothing is guessed, cut, or stored as other text than was meant.
"""

from .caps import Caps
from .faults import Fault, FileRefused, Problem
from .opening import open_table
from .rows import Layout, Row, Table

__all__ = [
    "Caps",
    "Fault",
    "FileRefused",
    "Layout",
    "Problem",
    "Row",
    "Table",
    "open_table",
]
