"""What is talked about more than usual: begin with `rank.py`."""
