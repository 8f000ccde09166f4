"""The gRPC edge: one short method per RPC, translation, authentication, and what callers are told of errors."""
