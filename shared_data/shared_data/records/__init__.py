"""Run records: schema, maps in them, conflicts, audits beside them."""
