"""The API of Causeway: messages, stubs and servicers of causeway.v1."""
