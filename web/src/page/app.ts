// The page: shows what the engine tells and hands on what the person chooses; it must not know how the seeing is done.
import * as charts from "./charts";
import { buttonOf, byId, byTest, calmly, inputOf, make, selectOf } from "./dom";
import type { Engine, Frame, Hello, History, Kept, Result, State, Told, Touch, TouchEvent } from "./engine";
import { face } from "./face";
import { Guide } from "./guide";
import { paint } from "./stage";
import { dayOf, period, touchesIn, weekOf } from "./stats";
import { clock, lasting, meaning, rateWords, touches as touchWords } from "./words";

const SWITCHES = ["glow", "notify", "low_power", "early", "keep_wrong"] as const;
const SLIDERS = ["volume", "min_time", "cooldown"] as const;
const VIEWS = ["live", "history", "settings"];
const GLOW_MS = 2500;
const WEEKS = 12;
const LATE_S = 60;
const AGAIN = "To watch again, type handlens watch.";
const RESTARTED = "handlens was started again";
const NEW_ADDRESS = "This page belongs to the run before. Open the address that handlens printed when it was started.";
const PLACES = "Every touch is counted. The alarm sounds for these places.";
const NO_PLACE = "Every touch is counted. No place is chosen: there will be no warning.";

interface Judged {
  number: number;
  region: string;
  seconds: number;
  until: number;
  answer?: string;
}

export class App {
  #engine: Engine;
  #guide: Guide;
  #hello: Hello | null = null;
  #state: State | null = null;
  #last: Frame | null = null; // the newest one
  #waiting: Frame | null = null; // not drawn yet
  #status = "";
  #count = 0;
  #touched = "";
  #touchEnd: number | null = null;
  #snoozeEnds: number | null = null;
  #ended = false;
  #lost = false;
  #restarted = false;
  #blind: string | null = null; // why there is no camera
  #numbers = new Map<number, number>(); // start of a touch that goes on -> its number
  #judged: Judged[] = []; // touches that can be called right or wrong
  #history: History = { touches: [], spans: [] };
  #kept: Kept | null = null;
  #glowing = 0;
  #noticing = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#guide = new Guide(engine, () => this.#mirrored, (done) => this.#afterGuide(done));
  }

  get #mirrored(): boolean {
    return this.#hello?.sourceKind === "camera";
  }

  start(): void {
    this.#connect();
    this.#engine.listen((told) => this.#hear(told));
    this.#engine.start();
    this.#route();
    window.addEventListener("hashchange", () => this.#route());
    window.addEventListener("resize", calmly(() => this.#showHistory()));
    document.addEventListener("visibilitychange", () => this.#engine.look(!document.hidden));
    setInterval(() => this.#tick(), 1000);
  }

  // What the engine tells

  #hear(told: Told): void {
    switch (told.kind) {
      case "hello":
        return this.#greet(told);
      case "state":
        return this.#stateIs(told);
      case "frame":
        return this.#frame(told);
      case "opened":
        return this.#opened(told.count, told.event);
      case "closed":
        return this.#closedTouch(told.event);
      case "alarm":
        return this.#warn(told.event.label);
      case "early":
        this.#announce("A hand comes near.");
        return this.#warn("A hand comes near.");
      case "problem":
        return this.#notice(told.text);
      case "ended":
        return this.#end(told.count, told.history);
      case "lost":
        this.#restarted = told.restarted ?? false;
        if (told.restarted) this.#guide.end(RESTARTED, NEW_ADDRESS);
        return this.#connection(false);
      case "found":
        return this.#connection(true);
      case "blind":
        this.#blind = told.text;
        return this.#showStatus();
    }
  }

  #greet(told: Hello): void {
    this.#hello = told;
    this.#connection(true);
    const camera = told.cameras.find((each) => String(each.number) === told.source);
    const kinds: Record<string, string> = { camera: camera?.name ?? "Camera", video: "A recording", stream: "A stream" };
    byId("source").textContent = kinds[told.sourceKind] ?? told.source;
    byId("source").title = told.source;
    byId("camera").replaceChildren(
      ...(told.cameras.length ? told.cameras : [{ number: -1, name: kinds[told.sourceKind] ?? told.source }]).map((each) =>
        make("option", { value: each.number, selected: String(each.number) === told.source }, each.name),
      ),
    );
    selectOf("camera").disabled = told.cameras.length < 2;
    byId("camera-hint").textContent = told.cameras.length > 1 ? "" : "Other cameras appear here when they are plugged in before the start.";
    byId("welcome").hidden = !told.firstTime || localOf("later") === "yes";
    buttonOf("test-sound").disabled = selectOf("sound").disabled = inputOf("volume").disabled = !told.canSound;
    byId("regions").hidden = told.task !== "touch";
    byId("training-card").hidden = !told.canJudge;
    labelOf("early").hidden = !told.canWarnEarly;
    byId("tab-history").hidden = !told.hasHistory;
    byId("calibration-remove").hidden = !told.calibrated;
    byId("calibration-words").textContent = told.calibrated
      ? "Your calibration is in use: it was made from what the camera saw of you, and holds a few numbers, no picture."
      : told.canCalibrate
        ? "A minute of showing what is a touch and what is none fits the warnings to you."
        : "Shows the camera and the sound once more.";
    byId("guide-again").textContent = told.calibrated ? "Set it up again" : "Set it up";
    if (told.ownWords) byId("own-words").textContent = told.ownWords;
    if (told.keptWords) byId("kept-hint").textContent = told.keptWords;
    this.#words();
    this.#load();
    this.#loadKept();
  }

  #stateIs(told: State): void {
    this.#state = told;
    const settings = told.settings;
    byId<HTMLFieldSetElement>("controls").disabled = this.#ended; // until now nobody would have heard
    byTest<HTMLInputElement>("sensitivity").value = String(Math.round(100 * (1 - settings.open)));
    this.#words();
    for (const region of this.#hello?.regions ?? []) this.#mark(region, settings.regions.includes(region));
    byId("regions-hint").textContent = settings.regions.length ? PLACES : NO_PLACE;
    for (const id of SWITCHES) inputOf(id).checked = Boolean(settings[id]);
    for (const id of SLIDERS) if (document.activeElement !== byId(id)) inputOf(id).value = String(settings[id]);
    selectOf("sound").value = settings.sound;
    labelOf("keep").hidden = settings.keep_days === undefined;
    this.#keepFor(settings.keep_days);
    this.#outputs();
    byTest("pause").setAttribute("aria-pressed", String(told.paused));
    byTest("pause").textContent = told.paused ? "Go on" : "Pause";
    byTest("snooze").setAttribute("aria-pressed", String(told.snoozed));
    byTest("snooze").textContent = told.snoozed ? "End snooze" : "Snooze";
    this.#snoozeEnds = told.snoozed && told.snoozed_s !== null ? Date.now() / 1000 + told.snoozed_s : null;
    this.#veil();
    this.#showStatus();
    this.#tick();
  }

  #frame(told: Frame): void {
    this.#count = told.count;
    this.#last = told;
    if (!this.#waiting) {
      requestAnimationFrame(() => {
        const frame = this.#waiting;
        this.#waiting = null;
        if (!frame) return;
        if (!this.#state?.paused) paint(byTest<HTMLCanvasElement>("video"), frame, this.#mirrored);
        this.#guide.frame(frame);
      });
    } else this.#waiting.image?.close();
    this.#waiting = told;
    byTest("touch-count").textContent = String(told.count);
    if (told.region) byTest("last-region").textContent = told.region;
    this.#showStatus();
  }

  #opened(count: number, event: TouchEvent): void {
    this.#count = count;
    this.#touchEnd = null;
    this.#touched = event.label;
    this.#numbers.set(event.start, count);
    byTest("touch-count").textContent = String(count);
    byTest("last-region").textContent = event.label;
    this.#announce(`Touching: ${event.label}`);
    this.#showStatus();
  }

  #closedTouch(event: TouchEvent): void {
    this.#touchEnd = Date.now() / 1000;
    this.#remember(event);
    byTest("last-region").textContent = event.label;
    this.#announce(`${event.label}, ${lasting(event.stop - event.start)}`);
    this.#loadSoon();
  }

  /** Note the number of a touch, by which its picture is judged; the history knows no numbers. */
  #remember(event: TouchEvent): void {
    const number = this.#numbers.get(event.start);
    this.#numbers.delete(event.start);
    if (number !== undefined) this.#judged.push({ number, region: event.label, seconds: event.stop - event.start, until: Date.now() / 1000 });
    if (this.#judged.length > 50) this.#judged.shift();
  }

  #warn(words: string): void {
    const settings = this.#state?.settings;
    if (settings?.glow) {
      byId("glow-frame").classList.add("on");
      clearTimeout(this.#glowing);
      this.#glowing = window.setTimeout(() => byId("glow-frame").classList.remove("on"), GLOW_MS);
    }
    if (settings?.notify && "Notification" in window && Notification.permission === "granted") {
      new Notification("Your hand is at your face", { body: words, tag: "handlens", silent: true });
    }
  }

  #end(count: number, history?: History): void {
    this.#ended = true;
    this.#count = count;
    byTest("touch-count").textContent = String(count);
    if (history) this.#historyIs(history);
    this.#veil();
    this.#showStatus();
    byId<HTMLFieldSetElement>("controls").disabled = true;
    this.#guide.end("The watch has ended", AGAIN);
    this.#announce("The watch has ended.");
  }

  #connection(found: boolean): void {
    this.#lost = !found;
    if (!found) byId<HTMLFieldSetElement>("controls").disabled = true;
    this.#veil();
    this.#showStatus();
  }

  // What is shown

  #showStatus(): void {
    const paused = this.#state?.paused;
    const status = this.#ended || this.#lost ? (this.#ended ? "ended" : "no answer") : paused ? "paused" : this.#blind ? "no camera" : (this.#last?.status ?? "starting");
    const verdict = byId("verdict");
    verdict.dataset.state = ["clear", "touching", "paused", "no face"].includes(status) ? status : "wait";
    if (status !== this.#status) {
      this.#status = status;
      byTest("status").textContent = status;
      document.title = status === "touching" ? "● touching – handlens" : `${status} – handlens`;
    }
    byId("detail").textContent = this.#detail(status);
  }

  #detail(status: string): string {
    if (status === "touching") return surest(this.#last?.result) || this.#touched || "";
    if (status === "paused") return "nothing is looked at";
    if (status === "no camera") return this.#blind ?? "";
    if (this.#state?.snoozed) return this.#snoozeEnds ? `alarm quiet for ${lasting(Math.max(1, this.#snoozeEnds - Date.now() / 1000))}` : "alarm quiet";
    if (status === "no face") return "not counted";
    if (status === "clear") return `${touchWords(this.#count)} since the start`;
    return status === "starting" ? "waiting for the first picture" : "";
  }

  #veil(): void {
    const paused = this.#state?.paused;
    if (paused) byTest<HTMLCanvasElement>("video").getContext("2d")?.clearRect(0, 0, 1e5, 1e5);
    byId("veil").hidden = !(this.#ended || this.#lost || paused);
    byId("veil-title").textContent = this.#ended ? "The watch has ended" : this.#restarted ? RESTARTED : this.#lost ? "handlens does not answer" : "Paused";
    byId("veil-text").textContent = this.#ended
      ? `${touchWords(this.#count)} were counted. ${AGAIN}`.replace("1 touch were", "1 touch was")
      : this.#lost
        ? this.#restarted
          ? NEW_ADDRESS
          : "Is it still running? This page connects by itself."
        : this.#mirrored
          ? "The camera is closed."
          : "Nothing is looked at.";
    byId("veil-button").hidden = this.#ended || this.#lost;
  }

  #words(): void {
    const position = Number(byTest<HTMLInputElement>("sensitivity").value);
    const box = byId("sensitivity-words");
    if (!this.#hello?.points) {
      box.replaceChildren(make("p", { class: "hint" }, this.#hello ? `Warns from a probability of ${Math.round(100 - position)} % on. This model was not measured.` : ""));
      return;
    }
    const told = meaning(this.#hello.points, position);
    const row = (number: number, words: string): HTMLElement => make("p", { class: "meter" }, make("b", {}, `${number} %`), make("span", {}, words));
    box.replaceChildren(
      row(told.found, "of touches are found"),
      row(told.front, "of hands held before the face warn wrongly"),
      row(told.plain, "of pictures without a hand there warn wrongly"),
      make("p", { class: "hint" }, `Measured on ${told.people} pictures of people at a webcam whom the model never saw.`),
    );
    byTest("sensitivity").setAttribute("aria-valuetext", told.said);
  }

  #mark(region: string, on: boolean): void {
    const box = byTest<HTMLInputElement>(`region-${region}`);
    if (box) box.checked = on;
    byId("region-face").querySelector(`[data-region="${region}"]`)?.setAttribute("data-on", String(on));
  }

  /** Show for how long the history is kept; a number of days from a flag or the file is offered as it is. */
  #keepFor(days: number | undefined): void {
    const choice = selectOf("keep");
    const [value, known] = [String(days), [...choice.options].map((option) => option.value)];
    if (days !== undefined && !known.includes(value)) choice.append(make("option", { value }, `${days} days`));
    choice.value = value;
  }

  #outputs(): void {
    byId("min_time-out").textContent = lasting(Number(inputOf("min_time").value));
    byId("cooldown-out").textContent = `${inputOf("cooldown").value} s`;
  }

  #announce(text: string): void {
    byId("announcer").textContent = text;
  }

  #notice(text: string): void {
    byId("notice").textContent = text;
    byId("notice").hidden = false;
    clearTimeout(this.#noticing);
    this.#noticing = window.setTimeout(() => (byId("notice").hidden = true), 8000);
  }

  #tick(): void {
    const now = Date.now() / 1000;
    const last = this.#touchEnd ?? this.#history.touches.at(-1)?.stop;
    byId("since").textContent = this.#status === "touching" ? "0 s" : last === undefined || last < dayOf(now) ? "–" : lasting(Math.max(0, Math.floor(now - last)) || 0).replace(".0", "");
    if (!this.#ended) this.#showStatus();
  }

  // The history

  async #load(): Promise<void> {
    if (!this.#hello?.hasHistory) return;
    try {
      this.#historyIs(await this.#engine.history(weekOf(Date.now() / 1000, 1 - WEEKS)));
    } catch (error) {
      if (!this.#ended && !this.#lost) this.#notice((error as Error).message);
    }
  }

  #loadSoon = calmly(() => this.#load(), 300);

  #historyIs(history: History): void {
    this.#history = history;
    this.#showHistory();
  }

  #showHistory(): void {
    const now = Date.now() / 1000;
    const today = touchesIn(this.#history.touches, dayOf(now), now + 60);
    const { seconds, rate } = period(this.#history, dayOf(now), now + 60);
    byId("today-words").textContent = this.#hello?.hasHistory ? `${touchWords(today.length)} in ${lasting(seconds)} watched${rate === null ? "" : `, ${rateWords(rate)} an hour`}` : "no history is kept";
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
    if (!byId("view-live").hidden) charts.timeline(byId("today-bar"), this.#history, now);
    if (byId("view-history").hidden) return;
    charts.hero(byId("hero"), this.#history, now);
    charts.weekCard(byId("week-card"), this.#history, now);
    charts.longestCard(byId("longest-card"), this.#history, now);
    charts.weeksCard(byId("weeks-card"), this.#history, now);
    charts.faceCard(byId("face-card"), this.#history, now);
    charts.hoursCard(byId("hours-card"), this.#history);
  }

  #judging(touch: Touch): HTMLElement[] {
    if (!this.#state?.settings.keep_wrong) return [];
    const late = (each: Judged): number => Math.abs(each.until - touch.stop); // a busy machine tells of the end some seconds after it
    const same = (each: Judged): boolean => each.region === touch.region && Math.abs(each.seconds - (touch.stop - touch.start)) < 0.02 && late(each) < LATE_S;
    const [known] = this.#judged.filter(same).sort((one, other) => late(one) - late(other));
    if (!known) return [];
    if (known.answer) return [make("span", {}, known.answer)];
    const answer = (right: boolean) => async (event: Event): Promise<void> => {
      try {
        await this.#engine.judge(known.number, right);
        known.answer = right ? "kept as right" : "kept as wrong";
        (event.target as HTMLElement).parentElement?.replaceChildren(known.answer);
        await this.#loadKept();
      } catch (error) {
        this.#notice((error as Error).message);
      }
    };
    return [make("span", {}, make("button", { onclick: answer(true) }, "right"), " ", make("button", { onclick: answer(false) }, "wrong"))];
  }

  // What the person chooses

  #connect(): void {
    const engine = this.#engine;
    const set = calmly((name: string, value: number) => engine.set(name, value));
    byTest("pause").onclick = () => (this.#state?.paused ? engine.resume() : engine.pause(null));
    byId("veil-button").onclick = () => engine.resume();
    byTest("snooze").onclick = () => {
      const chosen = selectOf("snooze-for").value;
      engine.snooze(this.#state?.snoozed ? 0 : chosen === "" ? null : Number(chosen));
    };
    byTest("sensitivity").oninput = () => {
      this.#words();
      set("sensitivity", Number(byTest<HTMLInputElement>("sensitivity").value));
    };
    for (const id of SLIDERS) {
      const change = calmly((value: number) => engine.set(id, value));
      byId(id).oninput = () => {
        this.#outputs();
        change(Number(inputOf(id).value));
      };
    }
    for (const id of SWITCHES) if (id !== "notify") byId(id).onchange = () => engine.set(id, inputOf(id).checked);
    byId("notify").onchange = () => this.#allowNotices();
    byId("keep").onchange = () => engine.set("keep_days", Number(selectOf("keep").value));
    byId("sound").onchange = () => engine.set("sound", selectOf("sound").value);
    byTest("test-sound").onclick = () => engine.testSound();
    byId("camera").onchange = () => {
      engine.chooseCamera(Number(selectOf("camera").value));
      byId("source").textContent = selectOf("camera").selectedOptions[0]?.textContent ?? "";
    };
    byId("export").onclick = () => this.#export();
    byId("delete").onclick = () => this.#askAndDelete("everything");
    byId("kept-delete").onclick = () => this.#askAndDelete("pictures");
    byId("kept-save").onclick = () => this.#saveKept();
    byId("confirm-no").onclick = () => byId<HTMLDialogElement>("confirm").close();
    byId("guide-start").onclick = byId("guide-again").onclick = () => this.#guide.open(Boolean(this.#hello?.canCalibrate), this.#hello?.keepsCalibration ?? true);
    byId("guide-later").onclick = () => {
      keepLocal("later", "yes");
      byId("welcome").hidden = true;
    };
    byId("calibration-remove").onclick = () => this.#removeCalibration();
    this.#buildRegions();
  }

  #buildRegions(): void {
    const drawing = face({ onPick: (region) => this.#pick(region, !byTest<HTMLInputElement>(`region-${region}`).checked) });
    byId("region-face").replaceChildren(drawing);
    byId("region-checks").replaceChildren(
      ...["forehead", "eye", "nose", "mouth", "cheek", "chin", "ear"].map((region) =>
        make(
          "label",
          { class: "check" },
          make("input", { type: "checkbox", checked: true, "data-testid": `region-${region}`, onchange: (event) => this.#pick(region, (event.target as HTMLInputElement).checked) }),
          make("span", {}, region),
        ),
      ),
    );
  }

  #pick(region: string, on: boolean): void {
    this.#mark(region, on);
    const chosen = (this.#hello?.regions ?? []).filter((each) => byTest<HTMLInputElement>(`region-${each}`).checked);
    this.#engine.set("regions", chosen);
  }

  async #allowNotices(): Promise<void> {
    const wanted = inputOf("notify").checked;
    if (wanted && (!("Notification" in window) || (await Notification.requestPermission()) !== "granted")) {
      inputOf("notify").checked = false;
      this.#notice("The browser does not allow notifications for this page: allow them beside its address.");
      return;
    }
    this.#engine.set("notify", wanted);
  }

  async #export(): Promise<void> {
    save(await this.#engine.exportAddress(), "handlens-history.csv");
  }

  async #loadKept(): Promise<void> {
    if (!this.#hello?.canJudge) return;
    try {
      this.#kept = await this.#engine.kept();
    } catch {
      return; // the connection is lost, which the page says elsewhere
    }
    const { count, place, saves } = this.#kept;
    byId("kept-words").textContent = count ? `${pictures(count)} ${count === 1 ? "is" : "are"} kept${place ? ` in ${place}` : ""}.` : "No picture is kept.";
    byId("kept-save").hidden = !saves || !count;
    byId("kept-delete").hidden = !count;
  }

  async #saveKept(): Promise<void> {
    try {
      save(await this.#engine.keptAddress(), "handlens-alarms.zip");
    } catch (error) {
      this.#notice((error as Error).message);
    }
  }

  /** Ask whether to delete, and do it when the person says so. */
  async #askAndDelete(what: "everything" | "pictures"): Promise<void> {
    await this.#loadKept();
    const count = this.#kept?.count ?? 0;
    const all = what === "everything";
    byId("confirm-title").textContent = all ? "Delete everything?" : "Delete the pictures?";
    byId("confirm-yes").textContent = all ? "Delete everything" : "Delete them";
    const things = all ? `All touches of all days${count ? `, and ${pictures(count)} kept for training,` : ""} are deleted` : `${pictures(count)} kept for training ${count === 1 ? "is" : "are"} deleted`;
    byId("confirm-text").textContent = `${things}. This cannot be undone.`;
    byId("confirm-yes").onclick = () => this.#delete(what);
    byId<HTMLDialogElement>("confirm").showModal();
  }

  async #delete(what: "everything" | "pictures"): Promise<void> {
    byId<HTMLDialogElement>("confirm").close();
    try {
      if (what === "everything") {
        await this.#engine.deleteEverything();
        this.#touchEnd = null;
        await this.#load();
      } else await this.#engine.deleteKept();
      await this.#loadKept();
      this.#notice(what === "everything" ? "Everything was deleted." : "The pictures were deleted.");
    } catch (error) {
      this.#notice((error as Error).message);
    }
  }

  async #removeCalibration(): Promise<void> {
    try {
      await this.#engine.calibrate("remove");
      if (this.#hello) this.#greet({ ...this.#hello, calibrated: false });
    } catch (error) {
      this.#notice((error as Error).message);
    }
  }

  #afterGuide(done: boolean): void {
    byId("welcome").hidden = true;
    if (this.#guide.made && this.#hello) this.#greet({ ...this.#hello, calibrated: true, firstTime: false });
    if (done) keepLocal("later", "yes");
  }

  #route(): void {
    const wanted = location.hash.slice(1);
    const view = VIEWS.includes(wanted) ? wanted : "live";
    for (const each of VIEWS) {
      byId(`view-${each}`).hidden = each !== view;
      if (each === view) byId(`tab-${each}`).setAttribute("aria-current", "page");
      else byId(`tab-${each}`).removeAttribute("aria-current");
    }
    this.#showHistory();
    if (view === "history") this.#load();
    if (view === "settings") this.#loadKept();
  }
}

const labelOf = (id: string): HTMLLabelElement => byId(id).closest("label") as HTMLLabelElement;

const pictures = (count: number): string => `${count} ${count === 1 ? "picture" : "pictures"}`;

function save(address: string, name: string): void {
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

function surest(result: Result | undefined): string {
  const regions = (result?.value.boxes ?? []).filter((box) => box.label !== "face" && box.label !== "hand");
  return regions.sort((one, other) => other.score - one.score)[0]?.label ?? "";
}

function localOf(name: string): string | null {
  try {
    return localStorage.getItem(`handlens-${name}`);
  } catch {
    return null;
  }
}

function keepLocal(name: string, value: string): void {
  try {
    localStorage.setItem(`handlens-${name}`, value);
  } catch {
    // private windows keep nothing
  }
}
