"""Pictures, films and sounds: what members upload (`upload.py`), and what other servers have (`remote.py`)."""
