// The page: shows what the engine tells and hands on what the person chooses; it must not know how the seeing is done.
import * as charts from "./charts.js";
import { byId, byTest, calmly, make } from "./dom.js";
import { face } from "./face.js";
import { Guide } from "./guide.js";
import { paint } from "./stage.js";
import { dayOf, period, touchesIn, weekOf } from "./stats.js";
import { clock, lasting, meaning, rateWords, touches as touchWords } from "./words.js";

const VIEWS = ["live", "history", "settings"];
const GLOW_MS = 2500;
const WEEKS = 12;

export class App {
  /** @param {import("./engine.js").Engine} engine */
  constructor(engine) {
    this.engine = engine;
    this.hello = null;
    this.state = null;
    this.last = null; // the newest frame
    this.waiting = null; // a frame that is not drawn yet
    this.status = "";
    this.count = 0;
    this.touchEnd = null;
    this.ended = false;
    this.lost = false;
    this.numbers = new Map(); // start of a touch that goes on -> its number
    this.judged = []; // touches that can be called right or wrong
    this.history = { touches: [], spans: [] };
    this.guide = new Guide(engine, () => this.mirrored, (done) => this.#afterGuide(done));
  }

  get mirrored() {
    return this.hello?.sourceKind === "camera";
  }

  start() {
    this.#connect();
    this.engine.listen((told) => this.#hear(told));
    this.engine.start();
    this.#route();
    window.addEventListener("hashchange", () => this.#route());
    window.addEventListener("resize", calmly(() => this.#showHistory()));
    document.addEventListener("visibilitychange", () => this.engine.look(!document.hidden));
    setInterval(() => this.#tick(), 1000);
  }

  // What the engine tells

  #hear(told) {
    const heard = {
      hello: () => this.#greet(told),
      state: () => this.#stateIs(told),
      frame: () => this.#frame(told),
      opened: () => this.#opened(told),
      closed: () => this.#closedTouch(told),
      alarm: () => this.#warn(told.event),
      early: () => this.#warn({ label: "A hand comes near." }),
      problem: () => this.#notice(told.text),
      ended: () => this.#end(told),
      lost: () => this.#connection(false),
      found: () => this.#connection(true),
    };
    heard[told.kind]?.();
  }

  #greet(told) {
    this.hello = told;
    this.#connection(true);
    const camera = told.cameras.find((each) => String(each.number) === told.source);
    const kinds = { camera: camera?.name ?? "Camera", video: "A recording", stream: "A stream" };
    byId("source").textContent = kinds[told.sourceKind] ?? told.source;
    byId("source").title = told.source;
    byId("camera").replaceChildren(
      ...(told.cameras.length ? told.cameras : [{ number: -1, name: kinds[told.sourceKind] }]).map((each) =>
        make("option", { value: each.number, selected: String(each.number) === told.source }, each.name),
      ),
    );
    byId("camera").disabled = told.cameras.length < 2;
    byId("camera-hint").textContent = told.cameras.length > 1 ? "" : "Other cameras appear here when they are plugged in before the start.";
    byId("welcome").hidden = !told.firstTime || localOf("later") === "yes";
    byId("test-sound").disabled = byId("sound").disabled = byId("volume").disabled = !told.canSound;
    byId("regions").hidden = told.task !== "touch";
    byId("training-card").hidden = !told.canJudge;
    byId("early").closest("label").hidden = !told.canWarnEarly;
    for (const id of ["tab-history"]) byId(id).hidden = !told.hasHistory;
    byId("calibration-remove").hidden = !told.calibrated;
    byId("calibration-words").textContent = told.calibrated
      ? "Your calibration is in use: it was made from what the camera saw of you, and holds a few numbers, no picture."
      : told.canCalibrate
        ? "A minute of showing what is a touch and what is none lowers the wrong alarms for you."
        : "Shows the camera and the sound once more.";
    if (told.ownWords) byId("own-words").textContent = told.ownWords;
    this.#words();
    this.#load();
  }

  #stateIs(told) {
    this.state = told;
    const settings = told.settings;
    byId("controls").disabled = this.ended; // until now nobody would have heard
    byTest("sensitivity").value = String(Math.round(100 * (1 - settings.open)));
    this.#words();
    for (const region of this.hello?.regions ?? []) this.#mark(region, settings.regions.includes(region));
    for (const id of ["glow", "notify", "low_power", "early", "keep_wrong"]) byId(id).checked = Boolean(settings[id]);
    for (const id of ["volume", "min_time", "cooldown"]) if (document.activeElement !== byId(id)) byId(id).value = String(settings[id]);
    byId("sound").value = settings.sound;
    byId("keep").closest("label").hidden = settings.keep_days === undefined;
    this.#keepFor(settings.keep_days);
    this.#outputs();
    byTest("pause").setAttribute("aria-pressed", String(told.paused));
    byTest("pause").textContent = told.paused ? "Go on" : "Pause";
    byTest("snooze").setAttribute("aria-pressed", String(told.snoozed));
    byTest("snooze").textContent = told.snoozed ? "End snooze" : "Snooze";
    this.snoozeEnds = told.snoozed && told.snoozed_s !== null ? Date.now() / 1000 + told.snoozed_s : null;
    this.#veil();
    this.#showStatus();
    this.#tick();
  }

  #frame(told) {
    this.count = told.count;
    this.last = told;
    if (!this.waiting) {
      requestAnimationFrame(() => {
        const frame = this.waiting;
        this.waiting = null;
        if (!this.state?.paused) paint(byTest("video"), frame, this.mirrored);
        this.guide.frame(frame);
      });
    } else this.waiting.image?.close();
    this.waiting = told;
    byTest("touch-count").textContent = String(told.count);
    if (told.region) byTest("last-region").textContent = told.region;
    this.#showStatus();
  }

  #opened(told) {
    this.count = told.count;
    this.touchEnd = null;
    this.touched = told.event.label;
    this.numbers.set(told.event.start, told.count);
    byTest("touch-count").textContent = String(told.count);
    byTest("last-region").textContent = told.event.label;
    this.#announce(`Touching: ${told.event.label}`);
    this.#showStatus();
  }

  #closedTouch(told) {
    this.touchEnd = Date.now() / 1000;
    this.#remember(told.event);
    byTest("last-region").textContent = told.event.label;
    this.#announce(`${told.event.label}, ${lasting(told.event.stop - told.event.start)}`);
    this.#loadSoon();
  }

  /** Note the number of a touch, by which its picture is judged; the history knows no numbers. */
  #remember(event) {
    const number = this.numbers.get(event.start);
    this.numbers.delete(event.start);
    if (number !== undefined) this.judged.push({ number, region: event.label, seconds: event.stop - event.start, until: Date.now() / 1000 });
    if (this.judged.length > 50) this.judged.shift();
  }

  #warn(event) {
    const settings = this.state?.settings ?? {};
    if (settings.glow) {
      byId("glow-frame").classList.add("on");
      clearTimeout(this.glowing);
      this.glowing = setTimeout(() => byId("glow-frame").classList.remove("on"), GLOW_MS);
    }
    if (settings.notify && "Notification" in window && Notification.permission === "granted") {
      new Notification("Your hand is at your face", { body: event.label, tag: "handlens", silent: true });
    }
  }

  #end(told) {
    this.ended = true;
    this.count = told.count;
    byTest("touch-count").textContent = String(told.count);
    if (told.history) this.#historyIs(told.history);
    this.#veil();
    this.#showStatus();
    byId("controls").disabled = true;
    this.#announce("The watch has ended.");
  }

  #connection(found) {
    this.lost = !found;
    if (!found) byId("controls").disabled = true;
    this.#veil();
    this.#showStatus();
  }

  // What is shown

  #showStatus() {
    const paused = this.state?.paused;
    const status = this.ended || this.lost ? (this.ended ? "ended" : "no answer") : paused ? "paused" : (this.last?.status ?? "starting");
    const verdict = byId("verdict");
    verdict.dataset.state = ["clear", "touching", "paused", "no face"].includes(status) ? status : "wait";
    if (status !== this.status) {
      this.status = status;
      byTest("status").textContent = status;
      document.title = status === "touching" ? "● touching – handlens" : `${status} – handlens`;
    }
    byId("detail").textContent = this.#detail(status);
  }

  #detail(status) {
    if (status === "touching") return surest(this.last?.result) || this.touched || "";
    if (status === "paused") return "nothing is looked at";
    if (this.state?.snoozed) return this.snoozeEnds ? `alarm quiet for ${lasting(Math.max(1, this.snoozeEnds - Date.now() / 1000))}` : "alarm quiet";
    if (status === "no face") return "not counted";
    if (status === "clear") return `${touchWords(this.count)} since the start`;
    return status === "starting" ? "waiting for the first picture" : "";
  }

  #veil() {
    const paused = this.state?.paused;
    if (paused) byTest("video").getContext("2d").clearRect(0, 0, 1e5, 1e5);
    byId("veil").hidden = !(this.ended || this.lost || paused);
    byId("veil-title").textContent = this.ended ? "The watch has ended" : this.lost ? "handlens does not answer" : "Paused";
    byId("veil-text").textContent = this.ended
      ? `${touchWords(this.count)} were counted. To watch again, type handlens watch.`.replace("1 touch were", "1 touch was")
      : this.lost
        ? "Is it still running? This page connects by itself."
        : this.mirrored
          ? "The camera is closed."
          : "Nothing is looked at.";
    byId("veil-button").hidden = this.ended || this.lost;
  }

  #words() {
    const position = Number(byTest("sensitivity").value);
    const box = byId("sensitivity-words");
    if (!this.hello?.points) {
      box.replaceChildren(make("p", { class: "hint" }, this.hello ? `Warns from a probability of ${Math.round(100 - position)} % on. This model was not measured.` : ""));
      return;
    }
    const told = meaning(this.hello.points, position);
    const row = (number, words) => make("p", { class: "meter" }, make("b", {}, `${number} %`), make("span", {}, words));
    box.replaceChildren(
      row(told.found, "of touches are found"),
      row(told.front, "of hands held before the face warn wrongly"),
      row(told.plain, "of pictures without a hand there warn wrongly"),
      make("p", { class: "hint" }, `Measured on ${told.people} pictures of people at a webcam whom the model never saw.`),
    );
    byTest("sensitivity").setAttribute("aria-valuetext", told.said);
  }

  #mark(region, on) {
    const box = byTest(`region-${region}`);
    if (box) box.checked = on;
    byId("region-face").querySelector(`[data-region="${region}"]`)?.setAttribute("data-on", String(on));
  }

  /** Show for how long the history is kept; a number of days from a flag or the file is offered as it is. */
  #keepFor(days) {
    const choice = byId("keep");
    const [value, known] = [String(days), [...choice.options].map((option) => option.value)];
    if (days !== undefined && !known.includes(value)) choice.append(make("option", { value }, `${days} days`));
    choice.value = value;
  }

  #outputs() {
    byId("min_time-out").textContent = lasting(Number(byId("min_time").value));
    byId("cooldown-out").textContent = `${byId("cooldown").value} s`;
  }

  #announce(text) {
    byId("announcer").textContent = text;
  }

  #notice(text) {
    byId("notice").textContent = text;
    byId("notice").hidden = false;
    clearTimeout(this.noticing);
    this.noticing = setTimeout(() => (byId("notice").hidden = true), 8000);
  }

  #tick() {
    const now = Date.now() / 1000;
    const last = this.touchEnd ?? this.history.touches.at(-1)?.stop;
    byId("since").textContent = this.status === "touching" ? "0 s" : last === undefined || last < dayOf(now) ? "–" : lasting(Math.max(0, Math.floor(now - last)) || 0).replace(".0", "");
    if (!this.ended) this.#showStatus();
  }

  // The history

  async #load() {
    if (!this.hello?.hasHistory) return;
    try {
      this.#historyIs(await this.engine.history(weekOf(Date.now() / 1000, 1 - WEEKS)));
    } catch (error) {
      if (!this.ended && !this.lost) this.#notice(/** @type {Error} */ (error).message);
    }
  }

  #loadSoon = calmly(() => this.#load(), 300);

  #historyIs(history) {
    this.history = history;
    this.#showHistory();
  }

  #showHistory() {
    const now = Date.now() / 1000;
    const today = touchesIn(this.history.touches, dayOf(now), now + 60);
    const { seconds, rate } = period(this.history, dayOf(now), now + 60);
    byId("today-words").textContent = this.hello?.hasHistory ? `${touchWords(today.length)} in ${lasting(seconds)} watched${rate === null ? "" : `, ${rateWords(rate)} an hour`}` : "no history is kept";
    byId("today-none").hidden = today.length > 0;
    byTest("history-today").replaceChildren(
      ...today.map((touch) =>
        make(
          "li",
          { "data-start": touch.start.toFixed(3), "data-stop": touch.stop.toFixed(3), "data-region": touch.region },
          make("time", {}, clock(touch.start, true)),
          make("span", {}, touch.region),
          make("span", {}, lasting(touch.stop - touch.start)),
          ...this.#judging(touch),
        ),
      ),
    );
    byTest("history-today").scrollTop = 1e6; // the newest
    if (!byId("view-live").hidden) charts.timeline(byId("today-bar"), this.history, now);
    if (byId("view-history").hidden) return;
    charts.hero(byId("hero"), this.history, now);
    charts.weekCard(byId("week-card"), this.history, now);
    charts.longestCard(byId("longest-card"), this.history, now);
    charts.weeksCard(byId("weeks-card"), this.history, now);
    charts.faceCard(byId("face-card"), this.history, now);
    charts.hoursCard(byId("hours-card"), this.history);
  }

  #judging(touch) {
    if (!this.state?.settings.keep_wrong) return [];
    const same = (each) => each.region === touch.region && Math.abs(each.seconds - (touch.stop - touch.start)) < 0.02 && Math.abs(each.until - touch.stop) < 5;
    const known = this.judged.find(same);
    if (!known) return [];
    if (known.answer) return [make("span", {}, known.answer)];
    const answer = (right) => async (event) => {
      try {
        await this.engine.judge(known.number, right);
        known.answer = right ? "kept as right" : "kept as wrong";
        event.target.parentElement.replaceChildren(known.answer);
      } catch (error) {
        this.#notice(/** @type {Error} */ (error).message);
      }
    };
    return [make("span", {}, make("button", { onclick: answer(true) }, "right"), " ", make("button", { onclick: answer(false) }, "wrong"))];
  }

  // What the person chooses

  #connect() {
    const { engine } = this;
    const set = calmly((name, value) => engine.set(name, value));
    byTest("pause").onclick = () => (this.state?.paused ? engine.resume() : engine.pause(null));
    byId("veil-button").onclick = () => engine.resume();
    byTest("snooze").onclick = () => {
      const chosen = byId("snooze-for").value;
      engine.snooze(this.state?.snoozed ? 0 : chosen === "" ? null : Number(chosen));
    };
    byTest("sensitivity").oninput = () => {
      this.#words();
      set("sensitivity", Number(byTest("sensitivity").value));
    };
    for (const id of ["volume", "min_time", "cooldown"]) {
      const change = calmly((value) => engine.set(id, value));
      byId(id).oninput = () => {
        this.#outputs();
        change(Number(byId(id).value));
      };
    }
    for (const id of ["glow", "low_power", "early", "keep_wrong"]) byId(id).onchange = () => engine.set(id, byId(id).checked);
    byId("notify").onchange = () => this.#allowNotices();
    byId("keep").onchange = () => engine.set("keep_days", Number(byId("keep").value));
    byId("sound").onchange = () => engine.set("sound", byId("sound").value);
    byTest("test-sound").onclick = () => engine.testSound();
    byId("camera").onchange = () => {
      engine.chooseCamera(Number(byId("camera").value));
      byId("source").textContent = byId("camera").selectedOptions[0].textContent;
    };
    byId("export").onclick = () => this.#export();
    byId("delete").onclick = () => byId("confirm").showModal();
    byId("confirm-no").onclick = () => byId("confirm").close();
    byId("confirm-yes").onclick = () => this.#delete();
    byId("guide-start").onclick = byId("guide-again").onclick = () => this.guide.open(Boolean(this.hello?.canCalibrate));
    byId("guide-later").onclick = () => {
      keepLocal("later", "yes");
      byId("welcome").hidden = true;
    };
    byId("calibration-remove").onclick = () => this.#removeCalibration();
    this.#buildRegions();
  }

  #buildRegions() {
    const drawing = face({ onPick: (region) => this.#pick(region, !byTest(`region-${region}`).checked) });
    byId("region-face").replaceChildren(drawing);
    byId("region-checks").replaceChildren(
      ...["forehead", "eye", "nose", "mouth", "cheek", "chin", "ear"].map((region) =>
        make(
          "label",
          { class: "check" },
          make("input", { type: "checkbox", checked: true, "data-testid": `region-${region}`, onchange: (event) => this.#pick(region, event.target.checked) }),
          make("span", {}, region),
        ),
      ),
    );
  }

  #pick(region, on) {
    this.#mark(region, on);
    const chosen = (this.hello?.regions ?? []).filter((each) => byTest(`region-${each}`)?.checked);
    this.engine.set("regions", chosen);
  }

  async #allowNotices() {
    const wanted = byId("notify").checked;
    if (wanted && (!("Notification" in window) || (await Notification.requestPermission()) !== "granted")) {
      byId("notify").checked = false;
      this.#notice("The browser does not allow notifications for this page: allow them beside its address.");
      return;
    }
    this.engine.set("notify", wanted);
  }

  async #export() {
    const link = make("a", { href: await this.engine.exportAddress(), download: "handlens-history.csv" });
    document.body.append(link);
    link.click();
    link.remove();
  }

  async #delete() {
    byId("confirm").close();
    try {
      await this.engine.deleteEverything();
      this.touchEnd = null;
      await this.#load();
      this.#notice("Everything was deleted.");
    } catch (error) {
      this.#notice(/** @type {Error} */ (error).message);
    }
  }

  async #removeCalibration() {
    try {
      await this.engine.calibrate("remove");
      this.hello.calibrated = false;
      this.#greet(this.hello);
    } catch (error) {
      this.#notice(/** @type {Error} */ (error).message);
    }
  }

  #afterGuide(done) {
    byId("welcome").hidden = true;
    if (this.guide.made) this.#greet({ ...this.hello, calibrated: true, firstTime: false });
    if (done) keepLocal("later", "yes");
  }

  #route() {
    const wanted = location.hash.slice(1);
    const view = VIEWS.includes(wanted) ? wanted : "live";
    for (const each of VIEWS) {
      byId(`view-${each}`).hidden = each !== view;
      if (each === view) byId(`tab-${each}`).setAttribute("aria-current", "page");
      else byId(`tab-${each}`).removeAttribute("aria-current");
    }
    this.#showHistory();
    if (view === "history") this.#load();
  }
}

function surest(result) {
  const regions = (result?.value?.boxes ?? []).filter((box) => box.label !== "face" && box.label !== "hand");
  return regions.sort((one, other) => other.score - one.score)[0]?.label ?? "";
}

function localOf(name) {
  try {
    return localStorage.getItem(`handlens-${name}`);
  } catch {
    return null;
  }
}

function keepLocal(name, value) {
  try {
    localStorage.setItem(`handlens-${name}`, value);
  } catch {
    // private windows keep nothing
  }
}
