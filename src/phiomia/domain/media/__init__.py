"""Pictures that members upload. Begin with `upload.py`."""
