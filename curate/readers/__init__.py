"""From files to rows, one module a kind of file: each gives a schema and batches in file order, and names every line it cannot read."""
