"""Score tables on several machines with Apache Spark: the rows of the local engine, part by part."""
