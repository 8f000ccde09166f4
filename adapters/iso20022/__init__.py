"""ISO 20022 over HTTPS: pain.001 out, pain.002 in. README.md names the documents it follows."""
