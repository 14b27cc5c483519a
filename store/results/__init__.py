"""Result tables: their columns, the Parquet parts that hold them, and the SQL views over them."""
