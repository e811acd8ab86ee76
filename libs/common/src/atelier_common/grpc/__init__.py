"""The gRPC side of every service: see :mod:`atelier_common.grpc.kit`."""
