"""The shared remote: what DVC's own push and pull do not see of it is found, and mended (docs/sharing.md)."""
