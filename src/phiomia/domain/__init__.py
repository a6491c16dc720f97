"""What the server knows and does; speaks no protocol."""
