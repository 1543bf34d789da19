"""The rival of `bench.cells` in an environment of its own: all slices to depth 3 by DuckDB, in CPU seconds.

`PYTHON -m bench.cells_duckdb FILE` with a Python that has duckdb; FILE is CSV, its last column is 0 or 1.
"""

from __future__ import annotations

import sys
import time
from itertools import combinations

import duckdb  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE t AS SELECT * FROM read_csv('{sys.argv[1]}', header = true)")
    names = [row[0] for row in connection.execute("DESCRIBE t").fetchall()][:-1]
    sets = [choice for deep in range(4) for choice in combinations(names, deep)]
    grouping = ", ".join(f"({', '.join(choice)})" for choice in sets)
    facts = ", ".join(names)
    query = f"SELECT {facts}, sum(harmed), count(*) FROM t GROUP BY GROUPING SETS ({grouping})"
    begun = time.process_time()
    slices = len(connection.execute(query).fetchnumpy()["count_star()"])
    print(slices, time.process_time() - begun)


if __name__ == "__main__":
    main()
