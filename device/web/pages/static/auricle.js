// Keeps the first screen current: parts of it as they change, the picture of the last minutes, and the commands. What is
// shown is HTML that the server has escaped; texts of this script are set as text. Without it the forms work, and the page
// says within 3 s that it is old.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const PATIENCE_MS = 2800; // from the moment a state was made to the page's going grey
  const SHOWN_S = 300;
  const GAP_S = 3; // between two points: the curves are not drawn across
  const body = document.body, said = document.getElementById("said");
  if (body.classList.contains("live")) live();
  document.addEventListener("submit", command);
  document.addEventListener("click", ask);

  // --- commands

  async function command(event) {
    const form = event.target;
    if (!form.matches("[data-command]")) return;
    event.preventDefault();
    const button = event.submitter;
    const fields = new URLSearchParams(new FormData(form, button));
    const csrf = document.querySelector('meta[name="csrf"]');
    if (button) button.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.action, {
        method: "POST", body: fields, signal: AbortSignal.timeout(8000),
        headers: { "X-CSRF-Token": csrf ? csrf.content : "", Accept: "application/json" },
      });
      if (answer.status === 401) return location.assign("login");
      const told = await answer.json();
      say(told.sentence || told.error, !answer.ok);
    } catch {
      say("The command did not arrive: no answer within 8 s. Try again.", true);
    } finally {
      if (button) button.removeAttribute("aria-busy");
    }
  }

  function say(sentence, wrong) {
    said.textContent = sentence.charAt(0).toUpperCase() + sentence.slice(1) + (/[.!?]$/.test(sentence) ? "" : ".");
    said.classList.toggle("wrong", wrong);
  }

  // --- why, or why not, at the moment that is tapped in a picture; for keyboards there are links and a form

  function ask(event) {
    const picture = event.target.closest("[data-from]");
    if (!picture) return;
    const box = picture.getBoundingClientRect(), from = Number(picture.dataset.from), until = Number(picture.dataset.until);
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    location.assign(why(from + share * (until - from)));
  }

  function why(t) {
    return "why?at=" + new Date(t * 1000).toISOString();
  }

  // --- what is heard

  function live() {
    let points = [], lastId = "", source = null, retryAt = 0, heardAt = 0, problem = "", checkedAt = Date.now(), known = new Map(), heard = true;

    function connect() {
      if (source) source.close();
      source = new EventSource("live" + (lastId ? "?after=" + encodeURIComponent(lastId) : ""));
      retryAt = Date.now() + 5000;
      source.addEventListener("moment", (event) => {
        lastId = event.lastEventId;
        retryAt = Date.now() + 5000;
        take(JSON.parse(event.data));
      });
      source.addEventListener("ended", () => location.assign("login"));
      source.addEventListener("error", async () => {
        if (source.readyState !== EventSource.CLOSED) return;
        const answer = await fetch("api/state").catch(() => null);
        if (answer && answer.status === 401) location.assign("login");
      });
    }

    function take(moment) {
      for (const [name, html] of Object.entries(moment.html)) swap(name, html);
      announce();
      points = points.concat(moment.points).slice(-SHOWN_S * 2 - 10);
      problem = moment.problem;
      if (moment.ok) beat(moment.age);
      draw(points);
      tell();
    }

    // To a screen reader: an alarm and lost hearing at once, other news when it is idle, and levels and minutes never.
    function announce() {
      const alert = document.getElementById("alert");
      if (!alert) return; // the page of a ward reads out its own news
      const answer = document.querySelector("#verdict .answer").textContent, hears = document.querySelector("#verdict .hears") !== null;
      const alarms = new Map([...document.querySelectorAll("#alarms [data-alarm]")].map((each) =>
        [each.dataset.alarm, each.querySelector("h2").textContent + (each.classList.contains("seen") ? ", acknowledged" : "")]));
      const raised = [...alarms].filter(([id]) => !known.has(id)).map(([, words]) => words);
      if (raised.length) said.textContent = ""; // what became of an earlier command would be read as of this alarm
      const urgent = hears === heard ? raised : hears ? [answer, ...raised] : [answer, document.querySelector("#verdict .why").textContent, ...raised];
      const calm = [...known].filter(([id, words]) => alarms.get(id) !== words).map(([id, words]) => alarms.get(id) || words + ", over");
      known = alarms;
      heard = hears;
      if (urgent.length) alert.textContent = urgent.join(". ");
      if (calm.length) document.getElementById("news").textContent = calm.join(". ");
    }

    // Holds the page's own going grey back: changing the name of an animation begins it anew.
    function beat(age) {
      heardAt = Date.now() - age * 1000;
      body.style.setProperty("--patience", Math.max(0.3, PATIENCE_MS / 1000 - age) + "s");
      body.dataset.beat = body.dataset.beat === "a" ? "b" : "a";
    }

    function tell() {
      const forS = heardAt ? Math.floor((Date.now() - heardAt) / 1000) : 0;
      const why = document.getElementById("frozen-why");
      document.getElementById("verdict").toggleAttribute("inert", forS >= 3); // a screen reader skips the old verdict too
      if (forS < 2) return;
      const reason = problem ? " Why: " + problem + "." : " The phone's network, the machine, or its page may be down.";
      const text = "What stands below is old." + reason;
      document.getElementById("frozen-for").textContent = "For " + span(forS) + ". "; // no part of the alert: it would be read every second
      if (why.textContent !== text) why.textContent = text;
    }

    function check() {
      const now = Date.now(), back = Math.max(0, checkedAt - now); // a phone's clock that is set back would delay all below
      heardAt -= heardAt && back;
      retryAt -= back;
      checkedAt = now;
      tell();
      if (Date.now() > retryAt) connect();
    }

    document.getElementById("recent-numbers")?.addEventListener("toggle", () => draw(points));
    connect();
    setInterval(check, 1000);
    for (const name of ["pageshow", "online"]) addEventListener(name, () => Date.now() - heardAt > 3000 && connect());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && Date.now() - heardAt > 3000) connect();
    });
  }

  function span(seconds) {
    return seconds < 60 ? seconds + " s" : seconds < 3600 ? Math.floor(seconds / 60) + " min" : Math.floor(seconds / 3600) + " h";
  }

  // A part is replaced only when it has changed; what has the focus keeps it, or else its part has it; an open "Why" stays open.
  function swap(name, html) {
    const part = document.querySelector('[data-part="' + name + '"]');
    if (!part) return;
    const key = part.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const open = new Set([...part.querySelectorAll("details[open]")].map((each) => each.dataset.open));
    part.innerHTML = html;
    part.querySelectorAll("details").forEach((each) => { each.open = open.has(each.dataset.open); });
    const same = [...part.querySelectorAll("[data-key]")].find((each) => each.dataset.key === key);
    if (key && !same) part.tabIndex = -1;
    if (key) (same || part).focus();
    if (name === "verdict") document.title = part.querySelector(".answer").textContent + " – Auricle";
  }

  // --- the picture: level below, scores above, grey where it did not hear

  function draw(points) {
    const picture = document.getElementById("picture");
    if (!points.length) return;
    const end = points[points.length - 1].t, begin = end - SHOWN_S;
    const shown = points.filter((point) => point.t >= begin);
    const x = (point) => ((point.t - begin) / SHOWN_S) * 600;
    const names = [...new Set(shown.flatMap((point) => Object.keys(point.scores)))].sort().slice(0, 4);
    const shapes = [0, 55, 110].map((y) => shape("path", { class: "grid", d: "M0 " + (y + 4) + "H600" }));
    shapes.push(...deaf(shown, x));
    shapes.push(shape("path", { class: "level", d: level(shown, x) }));
    names.forEach((name, index) => shapes.push(shape("path", { class: "curve curve-" + index, d: curve(shown, x, name) })));
    picture.replaceChildren(...shapes);
    Object.assign(picture.dataset, { from: begin, until: end });
    legend(shown[shown.length - 1], names, shown);
    document.getElementById("surest").textContent = surest(shown, names);
    if (document.getElementById("recent-numbers").open) table(shown, names);
  }

  // --- the same in words and numbers

  const STEP_S = 10;
  const label = (name) => name.split("/")[1].replaceAll("_", " ");
  const clock = (t) => new Date(t * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

  function highest(points, name) {
    return points.reduce((best, point) => (point.scores[name] ?? -1) > (best?.scores[name] ?? -1) ? point : best, null);
  }

  function surest(shown, names) {
    const words = names.map((name) => [label(name), highest(shown, name), name]).filter(([, point]) => point)
      .map(([words, point, name]) => words + " " + point.scores[name].toFixed(2) + " at " + clock(point.t));
    return words.length ? "Highest: " + words.join(", ") + "." : "";
  }

  // A row for each ten seconds, the newest first: the highest score of each label, and the highest level.
  function table(shown, names) {
    const groups = new Map();
    for (const point of shown) {
      const at = Math.floor(point.t / STEP_S) * STEP_S;
      groups.set(at, (groups.get(at) || []).concat(point));
    }
    const rows = [...groups].reverse().map(([at, points]) => {
      const levels = points.map((point) => point.level).filter((each) => each !== null);
      const scores = names.map((name) => highest(points, name)?.scores[name]?.toFixed(2) ?? "–");
      const heard = points.every((point) => point.hears) ? "yes" : "no";
      return row("td", [link(clock(at), why(surestOf(points).t)), ...scores, levels.length ? Math.max(...levels).toFixed(0) : "–", heard]);
    });
    const head = document.createElement("thead"), all = document.createElement("tbody");
    head.append(row("th", ["from", ...names.map(label), "level, dBFS", "heard"]));
    all.append(...rows);
    document.getElementById("recent-table").replaceChildren(head, all);
  }

  function surestOf(points) {
    const top = (point) => Math.max(0, ...Object.values(point.scores));
    return points.reduce((best, point) => (top(point) > top(best) ? point : best));
  }

  function link(text, address) {
    const made = document.createElement("a");
    made.append(text);
    made.href = address;
    return made;
  }

  function row(kind, cells) {
    const made = document.createElement("tr");
    made.append(...cells.map((text, index) => {
      const cell = document.createElement(index === 0 ? "th" : kind);
      cell.append(text);
      if (cell.tagName === "TH") cell.scope = kind === "th" ? "col" : "row";
      return cell;
    }));
    return made;
  }

  function shape(kind, attributes) {
    const made = document.createElementNS(SVG, kind);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  function deaf(points, x) {
    return points.filter((point) => !point.hears)
      .map((point) => shape("rect", { class: "deaf", x: (x(point) - 1).toFixed(1), y: 0, width: 1.4, height: 220 }));
  }

  function level(points, x) {
    const height = (dbfs) => (dbfs === null ? 0 : Math.max(0, Math.min(1, (dbfs + 90) / 80)) * 100);
    return points.map((point, index) => {
      const at = x(point).toFixed(1), top = "L" + at + " " + (220 - height(point.level)).toFixed(1);
      const begins = isApart(points[index - 1], point), ends = isApart(point, points[index + 1]);
      return (begins ? "M" + at + " 220" : "") + top + (ends ? "L" + at + " 220Z" : "");
    }).join("");
  }

  function isApart(before, after) {
    return !before || !after || Math.abs(after.t - before.t) > GAP_S;
  }

  function curve(points, x, name) {
    let pen = "M";
    return points.map((point, index) => {
      if (isApart(points[index - 1], point)) pen = "M";
      if (point.scores[name] === undefined) { pen = "M"; return ""; }
      const step = pen + x(point).toFixed(1) + " " + (114 - 110 * point.scores[name]).toFixed(1);
      pen = "L";
      return step;
    }).join("");
  }

  function legend(newest, names, shown) {
    const rows = names.map((name, index) => {
      const score = newest.scores[name];
      return ["curve-" + index, label(name) + (score === undefined ? "" : " " + score.toFixed(2))];
    });
    rows.push(["key-level", "level " + (newest.level === null ? "–" : newest.level.toFixed(0) + " dBFS")]);
    if (shown.some((point) => !point.hears)) rows.push(["key-deaf", "did not hear"]);
    document.getElementById("legend").replaceChildren(...rows.map(([kind, words]) => {
      const key = document.createElement("span"), line = shape("svg", { viewBox: "0 0 18 10", "aria-hidden": "true" });
      key.className = "key";
      line.append(shape("line", { x1: 0, x2: 18, y1: 5, y2: 5, class: kind }));
      key.append(line, words);
      return key;
    }));
  }
})();
