"""The read side: from the log to Postgres tables, once, in order. Postgres is spoken here and nowhere else."""
