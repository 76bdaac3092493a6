"""Run records: schema, embedded maps, conflicts, audits."""
