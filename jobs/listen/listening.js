"use strict";

const test = JSON.parse(document.getElementById("test").textContent);
const trials = new Map(test.trials.map((trial) => [trial.trial, trial]));
const shelf = `${test.format}:${test.test}`;
const at = (id) => document.getElementById(id);
let sitting = null;
let players = new Map();

// The order of everything follows from the seed: mulberry32, seeded by FNV-1a of a text.
function randomFrom(text) {
  let state = 2166136261;
  for (const letter of text) state = Math.imul(state ^ letter.codePointAt(0), 16777619) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(items, text) {
  const random = randomFrom(text);
  const order = [...items];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

function keep() {
  try { localStorage.setItem(shelf, JSON.stringify(sitting)); } catch { /* private window: kept until it is closed */ }
}

function kept() {
  try { return JSON.parse(localStorage.getItem(shelf)); } catch { return null; }
}

function forget() {
  try { localStorage.removeItem(shelf); } catch { /* nothing was kept */ }
}

function show(section) {
  for (const one of ["start", "trial", "end"]) at(one).hidden = one !== section;
  silence();
}

function silence() {
  for (const { player } of players.values()) player.pause();
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function current() {
  return trials.get(sitting.order[sitting.place]);
}

function answer() {
  const { trial } = current();
  return (sitting.answers[trial] ??= { heard: [], scores: {}, chosen: null });
}

function playButton(sound, name, key) {
  const player = new Audio(`${test.folder}/${sound}.wav`);
  player.preload = "auto";
  const button = make("button", { type: "button", className: "play", textContent: `▶ ${name}` });
  button.setAttribute("aria-keyshortcuts", key);
  button.addEventListener("click", () => play(sound));
  player.addEventListener("play", () => button.classList.add("playing"));
  player.addEventListener("pause", () => button.classList.remove("playing"));
  player.addEventListener("error", () => { at("status").textContent = `${name} cannot be played: its file is missing.`; });
  players.set(sound, { player, button, key });
  return button;
}

function play(sound) {
  silence();
  const { player } = players.get(sound);
  player.currentTime = 0;
  player.play().then(() => {
    const { heard } = answer();
    if (!heard.includes(sound)) heard.push(sound);
    keep();
  }).catch(() => { at("status").textContent = "This sound cannot be played."; });
}

function ratingRow(sound, letter, button) {
  const score = answer().scores[sound];
  const number = make("output", { textContent: score ?? "–" });
  const slider = make("input", { type: "range", min: 0, max: 100, step: 1, value: score ?? 50, id: `score-${sound}` });
  slider.setAttribute("aria-label", `Sound ${letter}: how like the reference, from 0 to 100`);
  const rate = () => {
    answer().scores[sound] = Number(slider.value);
    number.textContent = slider.value;
    keep();
  };
  for (const event of ["input", "change"]) slider.addEventListener(event, rate);
  const ends = make("span", { className: "ends" }, make("span", { textContent: "entirely different" }), make("span", { textContent: "the same" }));
  return make("li", { className: "sound" }, button, slider, number, ends);
}

function choiceRow(sound, letter, button) {
  const radio = make("input", { type: "radio", name: "chosen", value: sound, checked: answer().chosen === sound });
  radio.addEventListener("change", () => { answer().chosen = sound; keep(); });
  return make("li", { className: "sound" }, button, make("label", { className: "choose" }, radio, `Sound ${letter}`));
}

function showTrial() {
  show("trial");
  players = new Map();
  const trial = current();
  const rating = trial.kind === "rating";
  at("progress").textContent = `${sitting.place + 1} of ${sitting.order.length}`;
  at("bar").value = sitting.place / sitting.order.length;
  at("question").textContent = rating ? "How like the reference is each sound?" : `Which sounds most like ${trial.target}?`;
  at("advice").textContent = rating
    ? "At least one of the sounds is the reference itself: give it 100."
    : "Choose one, even if none or several do.";
  at("reference").replaceChildren(...(rating ? [playButton(trial.reference, "Reference", "0")] : []));
  const order = shuffled(trial.sounds, `${sitting.seed}:${trial.trial}`);
  at("sounds").replaceChildren(...order.map((sound, place) => {
    const letter = String.fromCharCode(65 + place);
    return (rating ? ratingRow : choiceRow)(sound, letter, playButton(sound, letter, String(place + 1)));
  }));
  at("status").textContent = "";
  at("back").disabled = sitting.place === 0;
  at("question").focus();
}

function missing() {
  const trial = current();
  const { heard, scores, chosen } = answer();
  const unheard = [...players.keys()].find((sound) => !heard.includes(sound));
  if (unheard) return ["Please listen to every sound first.", players.get(unheard).button];
  if (trial.kind === "choice") return chosen ? null : ["Please choose one of the sounds.", document.querySelector("#sounds input")];
  const unrated = [...players.keys()].find((sound) => sound !== trial.reference && !(sound in scores));
  return unrated ? ["Please move every slider.", at(`score-${unrated}`)] : null;
}

function step(places) {
  sitting.place += places;
  if (sitting.place < sitting.order.length) showTrial();
  else {
    sitting.finished = new Date().toISOString();
    show("end");
    at("thanks").focus();
  }
  keep();
}

function results() {
  const answers = sitting.order.map((name) => {
    const { scores, chosen } = sitting.answers[name];
    const { kind, sounds } = trials.get(name);
    const shown = shuffled(sounds, `${sitting.seed}:${name}`);
    return { trial: name, kind, shown, ...(kind === "rating" ? { scores } : { chosen }) };
  });
  const { seed, listener, started, finished } = sitting;
  return { format: test.format, version: test.version, test: test.test, seed, listener, started, finished, answers };
}

function begin(state) {
  sitting = state;
  at("shown-seed").textContent = sitting.seed;
  step(0);
}

at("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  const seed = Number(at("seed").value);
  const order = shuffled(trials.keys(), String(seed));
  begin({ seed, listener: at("listener").value.trim(), started: new Date().toISOString(), finished: null, order, place: 0, answers: {} });
});
at("back").addEventListener("click", () => step(-1));
at("review").addEventListener("click", () => step(-1));
at("next").addEventListener("click", () => {
  const lack = missing();
  if (!lack) { step(1); return; }
  at("status").textContent = lack[0];
  lack[1].focus();
});
at("save").addEventListener("click", () => {
  const file = new Blob([JSON.stringify(results(), null, 1)], { type: "application/json" });
  const link = make("a", { href: URL.createObjectURL(file), download: `ratings-${test.test}-${sitting.seed}.json` });
  link.click();
  forget();
  at("saved").textContent = "Saved. If you cannot find the file, save it again.";
});
document.addEventListener("keydown", (event) => {
  if (at("trial").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") silence();
  for (const [sound, { key }] of players) if (key === event.key) play(sound);
});

at("test-id").textContent = test.test;
const asked = new URLSearchParams(location.search).get("seed");
at("seed").value = /^\d{1,9}$/.test(asked ?? "") ? asked : Math.floor(Math.random() * 1e9);
const unfinished = kept();
if (unfinished?.order?.every((name) => trials.has(name))) begin(unfinished);
