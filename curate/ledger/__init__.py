"""The ledger of an export: for every row of the input each decision on its way, in one Parquet file beside decisions.parquet.

A row an input row, in file order; a column a decision, in the order in which decisions are made, each a struct of typed fields; null where the decision did not
concern the row. What is the same for all rows stands in the file's own metadata, under the key `curate`. So a row's whole way is one row of the file, any
decision is one column of it, and DuckDB, Polars and pandas read both without a word of explanation: `select threshold_near_duplicate.keeper from …`.

Of a million rows and 14 decisions that is 75 MB, most of it the scores themselves, written in 1.2 CPU-seconds; a line a row and decision, with dictionaries,
takes 86 MB and 11 CPU-seconds, and twice the time to find a row; a column a field is as quick and as small as structs, and tells less plainly what belongs
together (`benchmarks/results/ledger-1000000.json`).
"""
