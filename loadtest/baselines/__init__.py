"""What the targets are ratios of: bare grpcio, bare grpc.aio, raw LMDB. Nothing of ours between them and the wire."""
