"""What an account is told of. Begin with `notify.py`."""
