"""Into the CDM: OMOP CSV, OMOP DuckDB (5.3 or 5.4) and FHIR R4, with an account of every row; and out as FHIR."""
