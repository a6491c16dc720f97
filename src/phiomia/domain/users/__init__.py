"""Who may sign in: sign-up, passwords, sessions, roles. Begin with `sign_up.py`."""
