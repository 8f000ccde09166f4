"""Generated messages: `causeway.v1` is the API, `causeway.store.v1` the records on disk."""
