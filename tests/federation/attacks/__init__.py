"""The attacks of docs/develop/attacks.md, mounted."""
