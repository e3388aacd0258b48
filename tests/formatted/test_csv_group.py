"""Small CSV files that are read in one statement: each with its own rows, lines and accounts."""

from __future__ import annotations

from backbone.formatted import csv_group
from conftest import GOOD, HEADER, ONE, THREE, TWO, Trial

