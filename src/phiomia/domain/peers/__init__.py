"""Other servers: how they can be reached, what the operator has decided about them, what came from and went to them."""
