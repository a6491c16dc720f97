"""What we publish: views become JSON. `note` and `actor` are things, `activities` what is sent; see `contexts`."""
