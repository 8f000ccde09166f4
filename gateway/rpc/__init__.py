"""gRPC on trio and h2: takes the stock generated code, knows nothing of payments."""
