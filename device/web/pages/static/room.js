// Leads through the measurement of a room: the daemon measures, this page asks it how far it is, and plays the signal.
// What the daemon answers is set as text. Whoever opens the page again finds the measurement where it is.
"use strict";
(() => {
  const LOOK_MS = 2000;
  const DECIDED_MS = 4000; // after the end of the signal the last windows are decided
  const player = document.getElementById("room-signal");
  if (!player) return;
  const said = document.getElementById("room-said"), play = document.getElementById("room-play");
  const finish = document.getElementById("room-finish");
  let waits = false;

  for (const button of document.querySelectorAll("[data-room-seconds]")) button.addEventListener("click", () => measure(button));
  play.addEventListener("click", playSignal);
  finish.addEventListener("click", () => guarded(finish, end));
  player.addEventListener("ended", () => setTimeout(end, DECIDED_MS));
  look();
  setInterval(look, LOOK_MS);

  async function step(members) {
    const csrf = document.querySelector('meta[name="csrf"]');
    const answer = await fetch("room/step", {
      method: "POST", body: JSON.stringify(members), signal: AbortSignal.timeout(8000),
      headers: { "X-CSRF-Token": csrf ? csrf.content : "", "Content-Type": "application/json", Accept: "application/json" },
    });
    const told = await answer.json();
    if (answer.status === 401) location.assign("login");
    if (!answer.ok) throw new Error(told.error);
    return told;
  }

  async function guarded(button, act) {
    button.setAttribute("aria-busy", "true");
    try {
      await act();
    } catch (error) {
      say(error instanceof Error && error.name === "Error" ? error.message : "No answer within 8 s. Try again.", true);
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  function measure(button) {
    const seconds = Number(button.dataset.roomSeconds);
    return guarded(button, async () => {
      await step({ step: "room", seconds });
      document.getElementById("room-result").hidden = true;
      say("The room is measured. Leave it as it is.", false);
    });
  }

  function playSignal() {
    return guarded(play, async () => {
      await step({ step: "played" });
      player.currentTime = 0;
      try {
        await player.play();
        say("The signal plays. Let it play to its end.", false);
      } catch {
        say("The browser did not play it: tap once more.", true);
      }
    });
  }

  async function end() {
    await step({ step: "finish" });
    waits = true;
    say("The result is worked out. A small machine takes some seconds.", false);
  }

  async function look() {
    if (document.hidden) return;
    let moment;
    try {
      moment = await step({ step: "look" });
    } catch (error) {
      if (waits && error.name === "Error") say(error.message, true);
      waits = false;
      return;
    }
    finish.hidden = moment.part === "nothing" || !player.paused;
    if (moment.result && moment.part === "nothing") show(moment.result);
    else if (moment.part === "room") tell(moment);
    else if (moment.part === "played" && moment.problem) say("No sound: " + moment.problem, true);
  }

  function tell(moment) {
    const seconds = Math.floor(moment.seconds), level = moment.level_dbfs === null ? "no signal" : moment.level_dbfs.toFixed(0) + " dBFS";
    if (moment.problem) say("No sound: " + moment.problem, true);
    else if (moment.most_s && moment.seconds >= moment.most_s) say("The room is measured. Go on with 2: play the signal.", false);
    else say("The room is measured: " + clock(seconds) + (moment.most_s ? " of " + clock(moment.most_s) : "") + ", " + level, false);
  }

  function show(result) {
    waits = false;
    const marks = { ok: "✓", warning: "!", failure: "✗" };
    document.getElementById("room-findings").replaceChildren(...result.figures.findings.map((finding) => {
      const item = document.createElement("li"), words = document.createElement("p");
      item.className = finding.outcome;
      words.textContent = marks[finding.outcome] + " " + finding.name + ": " + finding.summary;
      item.append(words);
      if (finding.cure) {
        const cure = document.createElement("p");
        cure.className = "cure";
        cure.textContent = "What to do: " + finding.cure;
        item.append(cure);
      }
      return item;
    }));
    document.getElementById("room-report").textContent = result.report;
    document.getElementById("room-fragment").textContent = result.fragment;
    const card = document.getElementById("room-result");
    if (card.hidden) {
      card.hidden = false;
      say("The measurement is over.", false);
      card.scrollIntoView({ block: "start" });
    }
  }

  function clock(seconds) {
    return Math.floor(seconds / 60) + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");
  }

  function say(sentence, wrong) {
    if (said.textContent !== sentence) said.textContent = sentence;
    said.classList.toggle("wrong", wrong);
  }
})();
