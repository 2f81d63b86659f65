// playOn tells how a play goes on from its first picture: until ms of media are
// played, the media end, or twice that time and 20 s more have passed. The picture
// stands still where none comes for 0.25 s; that the player waits is what its
// events say, from "waiting" to the next "playing": Chromium lets sound go on for
// up to 3 s without pictures. What is ahead is buffered of all tracks.
function playOn(video, frame, ms, tell) {
  const begin = performance.now(), from = video.currentTime, still = 250, usual = 40;
  const told = {media_ms: 0, stalls: 0, stall_ms: 0, waits: 0, wait_ms: 0, ahead_ms: 0, heights: [{at_ms: 0, height: frame.height}]};
  let plays = !video.paused && video.readyState > 2, since = 0, last = begin, over = false;
  const settle = () => {
    if (since) {
      told.waits++;
      told.wait_ms += performance.now() - since;
    }
    since = 0;
  };
  video.addEventListener('waiting', () => { if (plays) since ||= performance.now(); });
  video.addEventListener('playing', () => {
    plays = true;
    settle();
  });
  const stood = (until) => {
    if (until - last < still) return;
    told.stalls++;
    told.stall_ms += until - last - usual;
  };
  const look = (now, f) => {
    if (over) return;
    stood(now);
    last = now;
    if (f.height !== told.heights.at(-1).height) told.heights.push({at_ms: now - begin, height: f.height});
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  const timer = setInterval(() => {
    const at = video.currentTime;
    for (let i = 0; i < video.buffered.length; i++) {
      if (video.buffered.start(i) <= at + 0.1 && at < video.buffered.end(i)) told.ahead_ms = Math.max(told.ahead_ms, 1000 * (video.buffered.end(i) - at));
    }
    told.media_ms = 1000 * (at - from);
    if (told.media_ms < ms && !video.ended && performance.now() - begin < 2 * ms + 20000) return;
    clearInterval(timer);
    over = true;
    settle();
    if (!video.ended) stood(performance.now());
    tell(told);
  }, 20);
}
