"""What other servers send: received and verified in the web, carried out by the worker."""
