"""The rooms where frames come in and answers go out; nothing here knows how a model works.

sources    what the user typed -> a Source: pictures, video, camera or stream
pictures   picture files -> frames          header     size and orientation, read from a picture's first bytes
video      video files -> frames            whole      is a video file as long as it says it is
live       cameras, streams, files played live: the newest frame only
draw       a result drawn on its frame      sinks      JSON lines, events; what they share
annotated  annotated pictures and videos    draft      write beside the target, then rename
threads    a sink behind a queue, so that the loop never waits for the disk
sound      the alarm                        players    what can speak or beep on this machine

Free seat: `page`, the live page in the browser, comes later. It is a callable taken by `loop.run(..., progress=page)`:
it gets each `loop.Step` (frame, result, events) and must return at once, so it keeps the newest step and serves it from
a thread of its own. `--no-page` is the terminal view, which sits on the same seat.
"""
