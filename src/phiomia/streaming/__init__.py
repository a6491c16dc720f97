"""The streaming role: WebSocket and server-sent events, fed by the replayable log.

Begin with `role.py` (how the parts are joined), then follow an event: `feed.py` reads it from the log, `dispatch.py`
finds who listens and has it rendered, `encoding.py` makes each byte string once, `sse.py` and `websocket.py` send it.
A connection comes the other way: `server.py` accepts, `arrival.py` reads the head, `channels.py` says who may listen.
"""
