"""Runs inside the sandbox: a SQL script on DuckDB. Never imported by Ansim.

Each Parquet or CSV file below /data is a view: data/person.parquet is person, data/a/visit.csv is "a/visit".
"""

import pathlib
import resource
import sys

import duckdb

ROWS = 1000  # of a query that are printed
DATA = pathlib.Path("/data")


def main() -> None:
    most = resource.getrlimit(resource.RLIMIT_AS)[0] // 2
    con = duckdb.connect(config={"memory_limit": f"{most}B", "temp_directory": "/tmp/duckdb", "threads": 2})  # noqa: S108
    for file in sorted(DATA.rglob("*")):
        if file.suffix in (".parquet", ".csv"):
            name = str(file.relative_to(DATA).with_suffix("")).replace('"', '""')
            reader = "read_parquet" if file.suffix == ".parquet" else "read_csv"
            place = str(file).replace("'", "''")
            con.execute(f"CREATE OR REPLACE VIEW \"{name}\" AS FROM {reader}('{place}')")
    try:
        for statement in con.extract_statements(pathlib.Path(sys.argv[1]).read_text("utf-8")):
            found = con.query(statement)  # type: ignore[arg-type]
            if found is not None:
                found.show(max_rows=ROWS)
    except duckdb.Error as error:
        sys.exit(str(error))


main()
