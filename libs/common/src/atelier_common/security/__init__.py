"""Who calls, and the secrets an installation keeps."""
