"""What goes to other servers: `effects` notice, jobs write the document, `audience` says to whom, `deliver` sends."""
