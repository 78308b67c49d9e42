"""Reads an Activity table, or one of the directory, with Iceberg's own Python reader and with DuckDB, and prints what both make of it.

`python tests/readers.py DATABASE TABLE` reads one in Glue, with AWS's usual variables for credentials, region and endpoint;
`python tests/readers.py METADATA` reads the one whose metadata file it is.
"""

import json
import os
import pathlib
import sys
import tempfile

import duckdb
import pyarrow.compute
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.expressions import GreaterThanOrEqual
from pyiceberg.table import StaticTable


def in_glue(database, name):
    endpoint, region = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"]
    at = {"glue.endpoint": endpoint, "glue.region": region, "s3.endpoint": endpoint, "s3.region": region}
    return GlueCatalog("glue", **at).load_table((database, name))


arguments = sys.argv[1:]
table = in_glue(*arguments) if len(arguments) == 2 else StaticTable.from_metadata(*arguments)
rows = table.scan().to_arrow()
tasks = list(table.scan().plan_files())
# DuckDB gets the files themselves, as any engine that knows Parquet.
folder = tempfile.TemporaryDirectory()
for number, task in enumerate(tasks):
    with table.io.new_input(task.file.file_path).open() as remote:
        pathlib.Path(folder.name, f"{number}.parquet").write_bytes(remote.read())
duck = duckdb.connect()
duck.execute(f"create view activity as select * from read_parquet('{folder.name}/*.parquet')")
is_activity = "published" in rows.column_names
when, who = ("published", "user_id") if is_activity else ("valid_from", "id")
newest = pyarrow.compute.max(rows[when]).as_py()
midnight = newest.replace(hour=0, minute=0, second=0, microsecond=0)
of_newest_day = table.scan(row_filter=GreaterThanOrEqual(when, midnight.isoformat()))
print(
    json.dumps(
        {
            "format_version": table.metadata.format_version,
            "partition": [str(field.transform) + ":" + str(field.source_id) for field in table.spec().fields],
            "sort_order": [field.source_id for field in table.sort_order().fields],
            "total_records": table.current_snapshot().summary["total-records"],
            "total_data_files": table.current_snapshot().summary["total-data-files"],
            "columns": rows.column_names,
            "rows": rows.num_rows,
            "rows_by_duckdb": duck.execute("select count(*) from activity").fetchone()[0],
            "users_by_duckdb": duck.execute(f"select count(distinct {who}) from activity").fetchone()[0],
            "files": len(tasks),
            "files_of_newest_day": len(list(of_newest_day.plan_files())),
            "has_bounds": all(
                task.file.lower_bounds and task.file.upper_bounds and task.file.null_value_counts
                for task in tasks
            ),
        }
    )
)
