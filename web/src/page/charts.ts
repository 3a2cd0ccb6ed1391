// The pictures of the history, as SVG that a screen reader can read as well.
import { draw, make, put } from "./dom";
import type { History } from "./engine";
import { face } from "./face";
import * as stats from "./stats";
import { clock, lasting, rateWords, touches as touchWords } from "./words";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const STEPS_S = [15, 60, 120, 300, 600, 1800, 3600, 7200, 10800];

/** Fill a box with the strip of today: grey where it was watched, marks where the face was touched. */
export function timeline(box: Element, history: History, now: number): void {
  const from = stats.dayOf(now);
  const spans = history.spans.filter(([start, seconds]) => start + seconds > from);
  const today = stats.touchesIn(history.touches, from, now + 1);
  const first = Math.min(now, ...spans.map(([start]) => start), ...today.map((touch) => touch.start));
  const last = Math.max(now, ...today.map((touch) => touch.stop));
  const length = Math.max(60, (last - first) * 1.05);
  const begin = Math.max(from, first - length * 0.02);
  const width = box.clientWidth || 1000;
  const x = (moment: number): number => 8 + ((width - 16) * (moment - begin)) / length;
  const step = STEPS_S.find((each) => (width - 16) * (each / length) >= 70) ?? 10800;
  const marks = [];
  for (let at = Math.ceil(begin / step) * step; at <= begin + length; at += step) marks.push(at);
  put(
    box,
    draw(
      "svg",
      { viewBox: `0 0 ${width} 66`, role: "img", "aria-label": `${touchWords(today.length)} today on a line of time` },
      draw("rect", { x: 8, y: 12, width: width - 16, height: 26, rx: 8, fill: "color-mix(in srgb, var(--ink) 5%, transparent)" }),
      ...spans.map(([start, seconds]) =>
        draw("rect", { x: x(Math.max(start, begin)), y: 12, width: Math.max(2, x(start + seconds) - x(Math.max(start, begin))), height: 26, rx: 5, fill: "color-mix(in srgb, var(--calm) 30%, transparent)" }),
      ),
      ...today.map((touch) =>
        draw("rect", { x: x(touch.start) - 1, y: 7, width: Math.max(4, x(touch.stop) - x(touch.start)), height: 36, rx: 2, fill: "var(--warn)" }, draw("title", {}, `${clock(touch.start, true)} ${touch.region}, ${lasting(touch.stop - touch.start)}`)),
      ),
      ...marks.map((at) => draw("text", { x: x(at), y: 60, "text-anchor": x(at) > width - 30 ? "end" : "middle" }, clock(at, step < 60))),
    ),
  );
}

/** The large number of today. */
export function hero(box: Element, history: History, now: number): void {
  const from = stats.dayOf(now);
  const { count, seconds, rate } = stats.period(history, from, now + 1);
  const time = stats.touchesIn(history.touches, from, now + 1).reduce((sum, touch) => sum + touch.stop - touch.start, 0);
  put(
    box,
    make("h2", {}, "Today"),
    make("p", { class: "figure" }, String(count), make("small", {}, count === 1 ? " touch" : " touches")),
    make("p", {}, rate === null ? "A rate is shown from five watched minutes on." : `${rateWords(rate)} an hour.`),
    make("p", { class: "hint" }, `${lasting(seconds)} watched, ${lasting(time)} of it with a hand at the face.`),
  );
}

/** The last seven days beside the seven before. */
export function weekCard(box: Element, history: History, now: number): void {
  const { now: one, before, ratio, clear } = stats.change(history, now);
  const percent = ratio === null ? 0 : Math.round(Math.abs(ratio - 1) * 100);
  const verdict =
    ratio === null
      ? make("p", {}, "Compared with the week before as soon as both have five watched minutes.")
      : percent < 1
        ? make("p", {}, "As many as in the week before.")
        : !clear
          ? make("p", {}, `${percent} % ${ratio < 1 ? "fewer" : "more"} than the week before, which may be chance`)
        : make("p", { class: ratio < 1 ? "good" : "more" }, `${percent} % ${ratio < 1 ? "fewer" : "more"} than the week before`);
  put(
    box,
    make("h2", {}, "The last seven days"),
    make("p", { class: "figure" }, rateWords(one.rate), make("small", {}, " touches an hour")),
    verdict,
    make("p", { class: "hint" }, `${touchWords(one.count)} in ${lasting(one.seconds)}; the week before ${rateWords(before.rate)} an hour.`),
  );
}

/** The longest time without a touch, of today and of all. */
export function longestCard(box: Element, history: History, now: number): void {
  const from = stats.dayOf(now);
  const today = stats.longest({ touches: stats.touchesIn(history.touches, from, now + 1), spans: history.spans.filter(([start]) => start >= from) });
  const best = stats.longest(history);
  put(
    box,
    make("h2", {}, "Longest time without a touch"),
    make("p", { class: "figure" }, best ? lasting(best.seconds) : "–"),
    best ? make("p", {}, `On ${day(best.start)}, from ${clock(best.start)} to ${clock(best.stop)}.`) : make("p", {}, "Nothing was watched yet."),
    today && make("p", { class: "hint" }, `Today: ${lasting(today.seconds)}. Only watched time counts.`),
  );
}

/** Twelve weeks. */
export function weeksCard(box: Element, history: History, now: number): void {
  const rows = stats.weeks(history, now);
  const [wide, high, foot] = [640, 150, 170];
  const top = Math.max(1, ...rows.map((row) => row.rate ?? 0));
  const room = wide / rows.length;
  const bars = rows.map((row, n) => {
    const tall = row.rate === null ? 0 : Math.max(3, (row.rate / top) * high);
    const middle = n * room + room / 2;
    const start = new Date(row.start * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
    const told = row.rate === null ? `Week of ${start}: too little watched` : `Week of ${start}: ${rateWords(row.rate)} touches an hour, ${lasting(row.seconds)} watched`;
    return draw(
      "g",
      {},
      draw("title", {}, told),
      row.rate === null
        ? draw("circle", { cx: middle, cy: foot - 4, r: 2.5, fill: "color-mix(in srgb, var(--ink) 25%, transparent)" })
        : draw("rect", { x: middle - room * 0.32, y: foot - tall, width: room * 0.64, height: tall, rx: 5, fill: n === rows.length - 1 ? "var(--calm)" : "color-mix(in srgb, var(--calm) 50%, var(--card))" }),
      row.rate !== null && draw("text", { class: "strong", x: middle, y: foot - tall - 6, "text-anchor": "middle" }, rateWords(row.rate)),
      n % 2 === 1 && draw("text", { x: middle, y: foot + 18, "text-anchor": "middle" }, start),
    );
  });
  const told = rows.filter((row) => row.rate !== null).map((row) => rateWords(row.rate)).join(", ");
  put(
    box,
    make("h2", {}, "Touches an hour, week by week"),
    make("div", { class: "chart" }, draw("svg", { viewBox: `0 0 ${wide} 195`, role: "img", "aria-label": told ? `Touches an hour of the last weeks: ${told}` : "Nothing was watched yet" }, draw("line", { x1: 0, x2: wide, y1: foot, y2: foot, stroke: "var(--line)" }), ...bars)),
    !told && make("p", { class: "hint" }, "A bar appears for each week with five watched minutes."),
  );
}

/** Where the face is touched, of the last four weeks. */
export function faceCard(box: Element, history: History, now: number): void {
  const rows = stats.byRegion(stats.touchesIn(history.touches, now - 28 * 86400, now + 1)).filter((row) => row.count);
  const most = Math.max(1, ...rows.map((row) => row.count));
  const heat = Object.fromEntries(rows.map((row) => [row.region, row.count / most]));
  const told = rows.map((row) => `${row.region} ${row.count}`).join(", ");
  const bars = rows.slice(0, 7).flatMap((row) => {
    const bar = make("span", { class: "meterbar", "aria-hidden": "true" });
    bar.style.width = `${(100 * row.count) / most}%`;
    return [make("span", {}, row.region), bar, make("b", {}, String(row.count))];
  });
  put(
    box,
    make("h2", {}, "Where, in four weeks"),
    make(
      "div",
      { class: "face-rows" },
      make("div", { class: "face heat" }, face({ heat, label: told ? `Touches by place: ${told}` : "No touches" })),
      rows.length ? make("div", { class: "ranks" }, ...bars) : make("p", { class: "hint" }, "No touch yet."),
    ),
  );
}

/** Hours of the day by days of the week, of the last twelve weeks. */
export function hoursCard(box: Element, history: History): void {
  const table = stats.grid(history);
  const top = Math.max(1, ...table.flat().map((cell) => cell.rate ?? 0));
  const [left, side, tall] = [34, 25, 22];
  const cells = table.flatMap((row, weekday) =>
    row.map((cell, hour) => {
      const words = `${LONG_DAYS[weekday]} ${hour}:00: ${cell.rate === null ? "too little watched" : `${rateWords(cell.rate)} touches an hour`}`;
      const share = cell.rate === null ? 0 : 0.12 + 0.88 * (cell.rate / top);
      return draw(
        "rect",
        { x: left + hour * side, y: weekday * tall, width: side - 3, height: tall - 3, rx: 4, fill: cell.rate === null ? "color-mix(in srgb, var(--ink) 5%, transparent)" : `color-mix(in srgb, var(--warn) ${Math.round(share * 100)}%, var(--card))` },
        draw("title", {}, words),
      );
    }),
  );
  const best = table.flatMap((row, weekday) => row.map((cell, hour) => ({ ...cell, weekday, hour }))).filter((cell) => cell.rate !== null).sort((one, other) => (other.rate ?? 0) - (one.rate ?? 0))[0];
  const words = best ? `Most on ${LONG_DAYS[best.weekday]} between ${best.hour} and ${best.hour + 1}: ${rateWords(best.rate)} an hour.` : "A square takes colour when that hour was watched for five minutes.";
  put(
    box,
    make("h2", {}, "Hours of the week"),
    make(
      "div",
      { class: "chart" },
      draw(
        "svg",
        { viewBox: `0 0 ${left + 24 * side} ${7 * tall + 18}`, role: "img", "aria-label": words },
        ...DAYS.map((name, n) => draw("text", { x: 0, y: n * tall + 14 }, name)),
        ...cells,
        ...[0, 6, 12, 18, 23].map((hour) => draw("text", { x: left + hour * side + 11, y: 7 * tall + 13, "text-anchor": "middle" }, String(hour))),
      ),
    ),
    make("p", { class: "hint" }, words),
  );
}

const day = (moment: number): string => new Date(moment * 1000).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });
