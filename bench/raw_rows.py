"""The yardstick of batches: rows that are there already, written as fast as the driver can, and nothing else.

They have the columns and indexes of a stored roll-up. SQLite: `executemany`, 100 rows a transaction, each synced.
PostgreSQL: one COPY for each 10 000 rows.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from core.db import open_engine

COLUMNS = 20
A_COMMIT = {"sqlite": 100, "postgresql": 10_000}


class RawRows:
    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._dialect = self._engine.dialect.name
        texts = ", ".join(f"c{n} TEXT" for n in range(2, COLUMNS))
        with self._engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE raw_rows (c0 TEXT, c1 TEXT, {texts}, PRIMARY KEY (c0, c1))")
            connection.exec_driver_sql("CREATE INDEX raw_model ON raw_rows (c0, c2, c3)")
            connection.exec_driver_sql("CREATE INDEX raw_release ON raw_rows (c0, c4)")
            connection.exec_driver_sql("CREATE INDEX raw_install ON raw_rows (c5)")

    def per_second(self, seconds: float) -> float:
        """Write for so long; return rows a second, the time in which the rows were made left out."""
        size, spent, rows = A_COMMIT[self._dialect], 0.0, 0
        while spent < seconds:
            made = [_row() for _ in range(size)]
            begun = time.perf_counter()
            self._write(made)
            spent += time.perf_counter() - begun
            rows += size
        return rows / spent

    def _write(self, rows: list[tuple[str, ...]]) -> None:
        with self._engine.begin() as connection:
            driver: Any = connection.connection.driver_connection
            if self._dialect == "sqlite":
                driver.executemany(f"INSERT INTO raw_rows VALUES ({', '.join('?' * COLUMNS)})", rows)
                return
            with driver.cursor().copy("COPY raw_rows FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


def _row() -> tuple[str, ...]:
    tag = f"{time.time_ns() // 1_000_000:012x}7{uuid.uuid4().hex[13:]}"
    return ("bench", tag, "kws", "2026-11-22 06:00:00", "rel_1", uuid.uuid4().hex, *(["nominal-12"] * (COLUMNS - 6)))
