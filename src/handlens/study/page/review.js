"use strict";
// One event after the other: its pictures run in a loop, a key says what is right. Nothing leaves this machine.
const token = new URLSearchParams(location.search).get("token") || "";
const $ = (id) => document.getElementById(id);
let event_ = null, frames = [], shown = 0, playing = true, clip = 0;

async function ask(path, body) {
  const options = { headers: { "x-token": token } };
  if (body) {
    options.method = "POST";
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}

function draw() {
  if (!frames.length) return;
  const frame = frames[shown];
  const inside = !event_.blind && frame.time >= event_.start && frame.time <= event_.stop;
  $("picture").src = `data:image/jpeg;base64,${frame.jpeg}`;
  $("picture").className = inside ? "inside" : "";
  $("at").value = shown;
  $("clock").textContent = event_.blind ? clock(frame.time) : `${clock(frame.time)}${inside ? " within the event" : ""}`;
}

function words(state) {
  if (state.verdict === "wrong") return "no touch";
  if (state.verdict === "right") return "right";
  const change = state.change || {};
  if (state.verdict === "split") return `two events, the second from ${clock(change.at)}`;
  const told = [change.region || (state.blind ? "a touch, no region yet" : "")];
  if (change.side) told.push(`${change.side} side`);
  if (change.hand) told.push(`${change.hand} hand`);
  if (change.start != null) told.push(`from ${clock(change.start)}`);
  if (change.stop != null) told.push(`to ${clock(change.stop)}`);
  return told.filter(Boolean).join(", ");
}

async function show(state) {
  event_ = state;
  const place = `${state.place + 1} of ${state.total}, ${state.reviewed} reviewed by ${state.coder}`;
  $("progress").textContent = state.blind ? `${place}, blind` : place;
  const label = [state.region || "touch", state.side, state.hand].filter(Boolean).join(", ");
  const sure = state.peak == null ? "" : `, p = ${state.peak.toFixed(2)}`;
  const span = `${clock(state.start)} to ${clock(state.stop)}`;
  $("what").textContent = state.blind
    ? `${state.video}, ${state.subject}: which region is touched, if any?`
    : `${state.video}, ${state.subject}: ${label}${sure}, ${span}`;
  $("said").textContent = state.verdict ? `you said: ${words(state)}` : "";
  const mine = ++clip;
  frames = [];
  const told = await ask(`api/clip?id=${state.id}`);
  if (mine !== clip) return;
  frames = told.frames;
  shown = 0;
  $("at").max = Math.max(0, frames.length - 1);
  draw();
}

async function say(verdict, change, stay) {
  const place = event_.place;
  try {
    const next = await ask("api/say", { id: event_.id, verdict, change: change || {} });
    await show(stay ? await ask(`api/event?place=${place}`) : next);
  } catch (error) {
    $("said").textContent = error.message;
  }
}

const go = async (step) => show(await ask(`api/event?place=${Math.max(0, event_.place + step)}`));
const edge = (which) => say("change", { [which]: frames[shown].time }, true);

function press(key) {
  if (!event_) return;
  const region = event_.regions[Number(key) - 1];
  if (region) say(!event_.blind && region === event_.region ? "right" : "change", { region });
  else if (key === "r" && event_.verdict === "change") ask("api/event").then(show); // right as it was changed
  else if (key === "r" && !event_.blind) say("right");
  else if (key === "w") say("wrong");
  else if (key === "s" && !event_.blind) say("split", { at: frames[shown].time });
  else if (key === "a") edge("start");
  else if (key === "e") edge("stop");
  else if (key === "l") say("change", { side: "left" }, true);
  else if (key === "k") say("change", { side: "right" }, true);
  else if (key === "h") say("change", { hand: "left" }, true);
  else if (key === "j") say("change", { hand: "right" }, true);
  else if (key === "ArrowLeft") go(-1);
  else if (key === "ArrowRight") go(1);
  else if (key === " ") playing = !playing;
  else return false;
  return true;
}

document.addEventListener("keydown", (pressed) => {
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey || pressed.target.type === "range") return;
  if (press(pressed.key)) pressed.preventDefault();
});
document.querySelectorAll("[data-verdict]").forEach((button) => {
  button.addEventListener("click", () => press(button.dataset.verdict[0]));
});
document.querySelectorAll("[data-edge]").forEach((button) => {
  button.addEventListener("click", () => edge(button.dataset.edge));
});
document.querySelectorAll("[data-side]").forEach((button) => {
  button.addEventListener("click", () => say("change", { side: button.dataset.side }, true));
});
document.querySelectorAll("[data-hand]").forEach((button) => {
  button.addEventListener("click", () => say("change", { hand: button.dataset.hand }, true));
});
$("back").addEventListener("click", () => go(-1));
$("next").addEventListener("click", () => go(1));
$("pause").addEventListener("click", () => { playing = !playing; });
$("at").addEventListener("input", () => { playing = false; shown = Number($("at").value); draw(); });
setInterval(() => {
  if (playing && frames.length) { shown = (shown + 1) % frames.length; draw(); }
}, 100);

ask("api/event").then((state) => {
  state.regions.forEach((region, number) => {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = number + 1;
    button.append(key, ` ${region}`);
    button.addEventListener("click", () => press(String(number + 1)));
    $("regions").append(button);
  });
  document.querySelector("[data-verdict=right]").hidden = state.blind;
  document.querySelector("[data-verdict=split]").hidden = state.blind;
  return show(state);
}).catch((error) => { $("said").textContent = error.message; });
