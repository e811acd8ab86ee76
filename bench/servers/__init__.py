"""Measurements on a real Kafka broker and a real server of the MongoDB protocol: those of the environment, or ones of infra.dev."""
