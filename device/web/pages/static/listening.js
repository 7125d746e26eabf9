// Plays the sound of the room after a tap, from a stream of 16-bit samples. What comes too late is left out, so that who
// listens is never more than a few seconds behind; the page shows how far. Leaving the page ends it.
"use strict";
(() => {
  const HEAD_BYTES = 44, RATE_HZ = 16000;
  const AHEAD_S = 0.4; // of sound that waits in the browser at first, and after a pause
  const MOST_AHEAD_S = 2; // what waits longer is left out
  const card = document.getElementById("listening");
  if (!card) return;
  const begin = document.getElementById("listen-begin"), end = document.getElementById("listen-end");
  const said = document.getElementById("listening-said");
  let playing = null;
  begin.addEventListener("click", start);
  end.addEventListener("click", () => stop("You listen no more."));
  addEventListener("pagehide", () => stop(""));

  async function start() {
    if (playing) return;
    const mine = playing = { abort: new AbortController(), context: null, until: 0, told: 0 };
    begin.hidden = true;
    end.hidden = false;
    end.focus();
    say("Waiting for the sound …", false);
    try {
      mine.context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
      await mine.context.resume();
      const answer = await fetch(card.dataset.sound, { signal: mine.abort.signal, cache: "no-store", headers: { Accept: "audio/wav, application/json" } });
      if (!answer.ok) return refused(answer);
      await play(mine, answer.body.getReader());
      stop("The sound has ended: you may not listen any more, it was switched off, or Auricle stopped.", true);
    } catch (error) {
      if (playing === mine) stop("The sound broke off: " + error.message, true);
    }
  }

  async function refused(answer) {
    if (answer.status === 401) return location.assign("login");
    const told = await answer.json();
    stop(told.error, true);
  }

  async function play(mine, reader) {
    let skip = HEAD_BYTES, rest = new Uint8Array(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done || playing !== mine) return;
      let bytes = value;
      if (skip) {
        const cut = Math.min(skip, bytes.length);
        skip -= cut;
        bytes = bytes.subarray(cut);
      }
      const joined = new Uint8Array(rest.length + bytes.length);
      joined.set(rest);
      joined.set(bytes, rest.length);
      const whole = joined.length - joined.length % 2;
      rest = joined.slice(whole);
      if (whole) schedule(mine, new DataView(joined.buffer, 0, whole));
    }
  }

  function schedule(mine, view) {
    const context = mine.context, count = view.byteLength / 2;
    if (mine.until < context.currentTime) mine.until = context.currentTime + AHEAD_S;
    if (mine.until - context.currentTime > MOST_AHEAD_S) return; // a burst after a pause
    const buffer = context.createBuffer(1, count, RATE_HZ), samples = buffer.getChannelData(0);
    let peak = 0;
    for (let at = 0; at < count; at++) {
      samples[at] = view.getInt16(2 * at, true) / 32768;
      peak = Math.max(peak, Math.abs(samples[at]));
    }
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    source.start(mine.until);
    mine.until += buffer.duration;
    card.dataset.heard = String(Number(card.dataset.heard || 0) + count);
    card.dataset.peak = String(Math.max(Number(card.dataset.peak || 0), peak));
    if (performance.now() - mine.told < 1000) return;
    mine.told = performance.now();
    say("You hear the room, about " + (mine.until - context.currentTime + 0.3).toFixed(1) + " s behind.", false);
  }

  function stop(sentence, wrong) {
    const mine = playing;
    if (!mine) return;
    playing = null;
    mine.abort.abort();
    if (mine.context) mine.context.close();
    begin.hidden = false;
    end.hidden = true;
    if (sentence) {
      begin.focus();
      say(sentence.charAt(0).toUpperCase() + sentence.slice(1) + (/[.!?]$/.test(sentence) ? "" : "."), wrong === true);
    }
  }

  function say(sentence, wrong) {
    said.textContent = sentence;
    said.classList.toggle("wrong", wrong);
  }
})();
