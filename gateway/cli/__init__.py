"""The command line: what people and scripts type. Everything that talks to a daemon uses the stock grpcio client."""
