"""Stories as text tables: what people ask of a payment daemon, and every defect that was found and mended."""
