"""Ways out of a filter that were tried: files, settings, catalogues, other statements; and what takes time or memory without end."""

from __future__ import annotations

FILES = ("/etc/passwd", "{rows}", "datasets/d/rows.parquet", "https://example.com/a.parquet", "s3://bucket/a", "/proc/self/environ", "file:///etc/passwd")
READERS = (
    *(
        "read_blob",
        "read_text",
        "read_csv",
        "read_csv_auto",
        "read_json",
        "read_json_objects",
        "read_ndjson",
        "read_ndjson_objects",
        "read_parquet",
        "parquet_scan",
    ),
    *(
        "parquet_metadata",
        "parquet_schema",
        "parquet_file_metadata",
        "parquet_kv_metadata",
        "parquet_bloom_probe",
        "read_duckdb",
        "sniff_csv",
        "glob",
        "seq_scan",
    ),
    *(
        "query",
        "query_table",
        "pragma_table_info",
        "pragma_storage_info",
        "which_secret",
        "load_aws_credentials",
        "st_read",
        "read_xlsx",
        "sqlite_scan",
        "iceberg_scan",
    ),
)
TABLES = (
    *(
        "duckdb_settings()",
        "duckdb_secrets()",
        "duckdb_tables()",
        "duckdb_logs()",
        "duckdb_temporary_files()",
        "duckdb_memory()",
        "duckdb_extensions()",
        "checkpoint()",
    ),
    *(
        "duckdb_columns",
        "duckdb_logs",
        "duckdb_views",
        "information_schema.tables",
        "information_schema.columns",
        "pg_catalog.pg_class",
        "main.sqlite_master",
        "sqlite_master",
    ),
    *(
        "memory.main.kept",
        "system.main.duckdb_tables",
        "kept",
        "given",
        "asked",
        "block",
        "con",
        '"rows.parquet"',
        "'{rows}'",
        "repeat_row(1, num_rows=2)",
        "test_all_types()",
    ),
)
STATEMENTS = (
    *(
        "EXECUTE p",
        "VACUUM",
        "CHECKPOINT",
        "BEGIN",
        "COMMIT",
        "SHOW TABLES",
        "USE main",
        "IMPORT DATABASE '{out}'",
        "ANALYZE",
        "DETACH memory",
        "COMMENT ON VIEW rows IS 'x'",
    ),
    *(
        "ALTER VIEW rows RENAME TO r",
        "DROP VIEW rows",
        "TRUNCATE kept",
        "MERGE INTO kept USING rows ON false WHEN NOT MATCHED THEN INSERT VALUES (true, 1)",
        "LOAD '{out}'",
    ),
    *(
        "CREATE SECRET (TYPE s3)",
        "CREATE TRIGGER t",
        "FORCE INSTALL httpfs",
        "UPDATE EXTENSIONS",
        "SET VARIABLE x = 1",
        "DEALLOCATE p",
        "CREATE TYPE t AS INT",
        "CREATE SEQUENCE s",
    ),
    *(
        "FROM (COPY rows TO '{out}')",
        "SELECT row_id FROM rows UNION ALL (COPY rows TO '{out}')",
        "WITH x AS (INSERT INTO kept VALUES (true, 1)) SELECT row_id FROM rows",
    ),
    *(
        "WITH x AS NOT MATERIALIZED (COPY rows TO '{out}') SELECT row_id FROM rows",
        "SELECT row_id FROM rows WHERE EXISTS (WITH x AS (UPDATE kept SET keep = 1) SELECT 1)",
    ),
    *(
        "SELECT * FROM (VALUES ('{rows}')) t(row_id), LATERAL (SELECT * FROM read_text(t.row_id))",
        "SELECT row_id FROM rows AT (VERSION => 1)",
        "SELECT row_id FROM rows; ATTACH 'x'",
    ),
)
VALUES = (
    *(
        "current_setting('allowed_paths') IS NULL",
        "main.current_setting('x') = ''",
        "\"CURRENT_SETTING\"('x') = ''",
        "write_log('x') IS NULL",
        "sleep_ms(100000) IS NULL",
    ),
    *(
        "getenv('HOME') = ''",
        "getvariable('x') IS NULL",
        "nextval('x') > 0",
        "currval('x') > 0",
        "error('no') IS NULL",
        "read_blob('/etc/passwd') IS NULL",
        "set_config('a', 'b', 'c')",
    ),
)
ESCAPES = (
    *(f"SELECT row_id FROM {reader}('{FILES[i % len(FILES)]}')" for i, reader in enumerate(READERS)),
    *(f"EXISTS (FROM {reader}('{FILES[(i + 1) % len(FILES)]}'))" for i, reader in enumerate(READERS)),
    *(f"SELECT row_id FROM '{file}'" for file in FILES),
    *(f"EXISTS (FROM {table})" for table in TABLES),
    *STATEMENTS,
    *VALUES,
)
ENDLESS = (
    *("(SELECT count(*) FROM rows a, rows b, rows c, rows d, rows e) > 0", "(SELECT sum(generate_series * 3 % 7) FROM generate_series(1, 100000000000)) > 0"),
    *(
        "(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r) > 0",
        "length(lpad('x', 2000000000, 'y')) > 0",
        "length(repeat('x', 4000000000)) > 0",
    ),
    *(
        "length(list_transform(range(100000000), lambda x: x || 'y')::VARCHAR) > 1",
        "array_length(list_resize([1], 4000000000)) > 0",
        "bit_count(repeat('1', 1000000000)::BIT) > 0",
    ),
    *(
        "printf('%2000000000d', 1) = ''",
        "format('{:>2000000000}', 'x') = ''",
        "strftime(now(), repeat('%Y', 100000000)) = ''",
        "error(repeat('x', 500000000)) IS NULL",
    ),
    *(
        "levenshtein(repeat('a', 200000), repeat('b', 200000)) = 1",
        "(SELECT max(x) FROM (SELECT unnest(range(10000000000)) x)) > 0",
        "regexp_matches(prompt, '(x{1,1000}){1,1000}')",
    ),
    *(
        "(SELECT string_agg(repeat(prompt, 1000000), '') FROM rows) = ''",
        "(" * 5000 + "1" + ")" * 5000,
        "1" + " + 1" * 50_000 + " > 0",
        "size IN (" + "1," * 500_000 + "1)",
    ),
)
