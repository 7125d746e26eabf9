
"use strict";
// The page reads without this script; with it, the picture follows the sound and a click or key seeks.
(() => {
  const figure = document.getElementById("figure");
  const stage = document.getElementById("stage");
  const cursor = document.getElementById("cursor");
  const readout = document.getElementById("readout");
  const duration = Number(figure.dataset.duration);
  const players = [...document.querySelectorAll("audio[data-start]")].map((audio) => (
    { audio, start: Number(audio.dataset.start), end: Number(audio.dataset.end) }));
  const events = [...document.querySelectorAll("button.seek")].map((button) => Number(button.dataset.at));
  const lanes = [...document.querySelectorAll(".lane")].map((lane) => ({
    label: lane.dataset.label,
    height: Number(lane.dataset.height),
    width: Number(lane.dataset.width),
    points: [...lane.querySelectorAll(".curve")].flatMap((line) => [...line.points]),
  }));
  const marks = [...document.querySelectorAll("[data-start] > title")].map((title) => (
    { about: title.textContent, start: Number(title.parentNode.dataset.start), end: Number(title.parentNode.dataset.end) }));
  let active = players[0] ?? null;
  let position = 0;
  let before = null; // where the position was when a finger began to draw along the picture

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  const clock = (seconds) => {
    const hundredths = Math.round(seconds * 100);
    const pad = (value) => String(value).padStart(2, "0");
    const [hours, minutes] = [Math.floor(hundredths / 360000), Math.floor(hundredths / 6000) % 60];
    const rest = `${pad(Math.floor(hundredths / 100) % 60)}.${pad(hundredths % 100)}`;
    return hours ? `${hours}:${pad(minutes)}:${rest}` : `${minutes}:${rest}`;
  };

  // The score drawn nearest to a place, by bisection; null where nothing was scored.
  const scoreAt = (lane, x) => {
    const { points } = lane;
    let [low, high] = [0, points.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle].x < x) low = middle + 1; else high = middle;
    }
    const near = [points[low - 1], points[low]].filter(Boolean)
      .sort((a, b) => Math.abs(a.x - x) - Math.abs(b.x - x))[0];
    return near ? 1 - near.y / lane.height : null;
  };

  const describe = (seconds) => {
    const scores = lanes.map((lane) => [lane.label, scoreAt(lane, lane.width * seconds / duration)]).filter(([, score]) => score !== null);
    return { when: clock(seconds), scores: scores.map(([label, score]) => `${label} ${score.toFixed(2)}`).join("   ") };
  };

  const distance = (player, seconds) => Math.max(player.start - seconds, seconds - player.end, 0);

  const show = (seconds) => {
    const { when, scores } = describe(seconds);
    const time = document.createElement("b");
    time.textContent = when;
    const silent = players.length > 0 && players.every((player) => distance(player, seconds) > 0);
    const there = marks.filter(({ start, end }) => start <= seconds && seconds <= end).map(({ about }) => `\n${about}`);
    const shown = there.length > 3 ? [...there.slice(0, 3), `\nand ${there.length - 3} more`] : there;
    readout.replaceChildren(time, `   ${scores}${silent ? "   (its sound is not on this page)" : ""}${shown.join("")}`);
  };

  const moveTo = (seconds) => {
    position = clamp(seconds, 0, duration);
    cursor.setAttribute("visibility", "visible");
    cursor.setAttribute("x", `${100 * position / duration}%`);
    const { when, scores } = describe(position);
    stage.setAttribute("aria-valuenow", position.toFixed(2));
    stage.setAttribute("aria-valuetext", `${when} ${scores}`);
    show(position);
  };

  const seek = (seconds) => {
    moveTo(seconds);
    if (!players.length) return;
    const nearest = players.reduce((best, player) => (distance(player, position) < distance(best, position) ? player : best));
    const wasPlaying = active !== null && !active.audio.paused;
    if (active !== nearest) active.audio.pause();
    active = nearest;
    if (distance(active, position) > 0) return;
    active.audio.currentTime = position - active.start;
    if (wasPlaying) active.audio.play();
  };

  const toggle = () => {
    if (!active) return;
    if (active.audio.paused) active.audio.play(); else active.audio.pause();
  };

  const follow = () => {
    if (!active) return;
    if (before === null) moveTo(active.start + active.audio.currentTime);
    if (!active.audio.paused) requestAnimationFrame(follow);
  };

  const secondsAt = (pointer) => {
    const box = figure.getBoundingClientRect();
    return clamp((pointer.clientX - box.left) / box.width, 0, 1) * duration;
  };

  for (const player of players) {
    const holder = player.audio.closest("figure");
    player.audio.addEventListener("play", () => {
      if (active !== player) active.audio.pause();
      active = player;
      holder?.classList.add("playing");
      requestAnimationFrame(follow);
    });
    player.audio.addEventListener("pause", () => holder?.classList.remove("playing"));
    player.audio.addEventListener("seeked", () => {
      if (active === player) moveTo(player.start + player.audio.currentTime);
    });
  }

  stage.classList.add("seeks");
  // A mouse looks at a moment without going there. A finger takes the position along, and the sound when it leaves;
  // where the browser makes a scroll of it, the position goes back.
  stage.addEventListener("pointermove", (pointer) => {
    if (pointer.pointerType === "mouse") { show(secondsAt(pointer)); return; }
    before ??= position;
    moveTo(secondsAt(pointer));
  });
  const lift = (goOn) => {
    if (before === null) return;
    const back = before;
    before = null;
    goOn(back);
  };
  stage.addEventListener("pointerup", (pointer) => lift(() => seek(secondsAt(pointer))));
  stage.addEventListener("pointercancel", () => lift(moveTo));
  stage.addEventListener("pointerleave", (pointer) => { if (pointer.pointerType === "mouse") show(position); });
  stage.addEventListener("click", (pointer) => { seek(secondsAt(pointer)); stage.focus({ preventScroll: true }); });

  const attributes = {
    role: "slider", tabindex: "0", "aria-label": "Position in the recording",
    "aria-valuemin": "0", "aria-valuemax": duration.toFixed(2),
  };
  for (const [name, value] of Object.entries(attributes)) stage.setAttribute(name, value);
  const step = Math.max(0.5, duration / 200);
  const keys = {
    ArrowLeft: (big) => seek(position - step * (big ? 10 : 1)),
    ArrowRight: (big) => seek(position + step * (big ? 10 : 1)),
    PageDown: () => seek(position - step * 10),
    PageUp: () => seek(position + step * 10),
    Home: () => seek(0),
    End: () => seek(duration),
    " ": toggle,
    Enter: toggle,
    n: () => seek(events.find((at) => at > position + 0.01) ?? position),
    p: () => seek(events.findLast((at) => at < position - 0.01) ?? position),
  };
  stage.addEventListener("keydown", (key) => {
    if (key.ctrlKey || key.altKey || key.metaKey || !(key.key in keys)) return;
    key.preventDefault();
    keys[key.key](key.shiftKey);
  });

  for (const button of document.querySelectorAll("button.seek")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      seek(Number(button.dataset.at));
      if (active && distance(active, position) === 0) active.audio.play();
      stage.scrollIntoView({ behavior: "smooth", block: "nearest" });
    });
  }
  for (const hint of document.querySelectorAll(".keys, .touch")) hint.hidden = false;
  moveTo(0);
})();
