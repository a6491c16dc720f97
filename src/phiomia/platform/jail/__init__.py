"""The one decoder jail for media: bytes from strangers are decoded in a confined child process and nowhere else.

Begin at `process.process_image`, which runs in the server; `decode` is the child it starts, `confine` locks the
child up, `picture` is the only module that imports the image library.
"""
