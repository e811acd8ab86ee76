"""Real servers for development and tests, without a container engine: a Kafka broker and a server of the MongoDB protocol.

``python -m infra.dev fetch`` fills the cache, ``python -m infra.dev run`` starts both and prints the environment variables that
lead to them. Debian with root, Java 17+, Maven, Go and debootstrap's mirror are needed; nothing of the system is changed but the
package debootstrap itself. A server given by ``ATELIER_KAFKA`` or ``ATELIER_MONGO`` is always taken instead.
"""
