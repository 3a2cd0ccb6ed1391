// Made from web/src by 'make page'; change it there.
var __defProp = Object.defineProperty;
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};

// src/page/dom.ts
var byId = (id) => document.getElementById(id);
var inputOf = (id) => byId(id);
var selectOf = (id) => byId(id);
var buttonOf = (id) => byId(id);
var byTest = (name) => document.querySelector(`[data-testid="${name}"]`);
function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}
function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}
function put(element, ...children) {
  element.replaceChildren(...there(children));
}
var there = (children) => children.filter((child) => child !== null && child !== void 0 && child !== false);
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === void 0) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "heat") element.style.setProperty("--heat", String(value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...there(children));
  return element;
}
function calmly(work, milliseconds = 150) {
  let waiting = 0;
  let last;
  return (...given) => {
    last = given;
    if (waiting) return;
    waiting = window.setTimeout(() => {
      waiting = 0;
      work(...last);
    }, milliseconds);
  };
}

// src/page/face.ts
var REGIONS = ["forehead", "eye", "nose", "mouth", "cheek", "chin", "ear"];
var ZONES = {
  forehead: ["M42 60c8-18 28-25 48-25s40 7 48 25c-14 6-30 8-48 8s-34-2-48-8z"],
  eye: ["M46 84c6-9 26-9 32 0-6 9-26 9-32 0z", "M102 84c6-9 26-9 32 0-6 9-26 9-32 0z"],
  nose: ["M84 80h12l8 34c-6 7-22 7-28 0z"],
  mouth: ["M66 138c8-8 18-9 24-6 6-3 16-2 24 6-8 12-40 12-48 0z"],
  cheek: ["M42 100c8-4 22-2 28 4 2 12-2 24-8 30-12-4-20-18-20-34z", "M138 100c-8-4-22-2-28 4-2 12 2 24 8 30 12-4 20-18 20-34z"],
  chin: ["M64 158c16 6 36 6 52 0-4 14-14 22-26 22s-22-8-26-22z"],
  ear: ["M34 86c-10-6-17 2-15 14 2 14 9 24 18 22z", "M146 86c10-6 17 2 15 14-2 14-9 24-18 22z"]
};
var MARKS = [
  "M48 74c8-5 20-5 28 0M104 74c8-5 20-5 28 0",
  // brows
  "M52 85c6-6 16-6 20 0-5 5-15 5-20 0zM108 85c6-6 16-6 20 0-5 5-15 5-20 0z",
  "M90 86v20c-6 4-4 8 0 9",
  "M70 138c8-4 14-5 20-3 6-2 12-1 20 3-12 8-28 8-40 0zM70 138h40"
];
var HEAD = "M90 22c-36 0-57 24-56 66 1 20 4 40 12 60 9 24 26 40 44 40s35-16 44-40c8-20 11-40 12-60 1-42-20-66-56-66z";
var EARS = "M34 82c-14-8-21 4-19 18 2 17 12 28 22 26M146 82c14-8 21 4 19 18-2 17-12 28-22 26";
function face({ onPick, heat, label }) {
  const zones = REGIONS.map(
    (region) => draw(
      "g",
      { "data-region": region, "data-on": "false", onclick: onPick && (() => onPick(region)) },
      draw("title", {}, region),
      ...ZONES[region].map((d) => draw("path", { class: "zone", d, heat: heat ? 0.85 * (heat[region] ?? 0) : null }))
    )
  );
  return draw(
    "svg",
    { viewBox: "8 14 164 182", role: "img", "aria-label": label ?? "A face", "aria-hidden": onPick ? "true" : null },
    draw("path", { class: "skin", d: EARS }),
    draw("path", { class: "skin", d: HEAD }),
    ...zones,
    ...MARKS.map((d) => draw("path", { class: "mark", d }))
  );
}

// src/page/stats.ts
var stats_exports = {};
__export(stats_exports, {
  byRegion: () => byRegion,
  change: () => change,
  dayOf: () => dayOf,
  grid: () => grid,
  longest: () => longest,
  observedIn: () => observedIn,
  period: () => period,
  rate: () => rate,
  touchesIn: () => touchesIn,
  weekOf: () => weekOf,
  weeks: () => weeks
});
var LEAST_S = 300;
var BREAK_S = 1800;
var rate = (count, seconds) => seconds >= LEAST_S ? count * 3600 / seconds : null;
function dayOf(moment, days = 0) {
  const date = new Date(moment * 1e3);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime() / 1e3;
}
function weekOf(moment, weeks2 = 0) {
  const weekday = (new Date(moment * 1e3).getDay() + 6) % 7;
  return dayOf(moment, 7 * weeks2 - weekday);
}
function observedIn(spans, from, to) {
  return spans.reduce((sum, [start, seconds]) => sum + Math.max(0, Math.min(to, start + seconds) - Math.max(from, start)), 0);
}
var touchesIn = (touches2, from, to) => touches2.filter((touch) => touch.start >= from && touch.start < to);
function period(history, from, to) {
  const count = touchesIn(history.touches, from, to).length;
  const seconds = observedIn(history.spans, from, to);
  return { count, seconds, rate: rate(count, seconds) };
}
function grid(history) {
  const table = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => ({ count: 0, seconds: 0, rate: null })));
  const cell = (moment) => {
    const date = new Date(moment * 1e3);
    return table[(date.getDay() + 6) % 7][date.getHours()];
  };
  for (const touch of history.touches) cell(touch.start).count += 1;
  for (const [start, seconds] of history.spans) {
    for (let at = start; at < start + seconds; ) {
      const next = Math.min(start + seconds, (Math.floor(at / 900 + 1e-9) + 1) * 900);
      cell(at).seconds += next - at;
      at = next;
    }
  }
  for (const row of table) for (const each of row) each.rate = rate(each.count, each.seconds);
  return table;
}
function weeks(history, now, count = 12) {
  return Array.from({ length: count }, (_, n) => {
    const start = weekOf(now, n - count + 1);
    return { start, ...period(history, start, weekOf(now, n - count + 2)) };
  });
}
function byRegion(touches2) {
  const totals = /* @__PURE__ */ new Map();
  for (const touch of touches2) {
    for (const [region, seconds] of Object.entries(touch.regions ?? { [touch.region]: touch.stop - touch.start })) {
      const total = totals.get(region) ?? { region, count: 0, seconds: 0 };
      total.count += region === touch.region ? 1 : 0;
      total.seconds += seconds;
      totals.set(region, total);
    }
  }
  return [...totals.values()].sort((one, other) => other.count - one.count || other.seconds - one.seconds);
}
function longest(history) {
  let best = null;
  let now = null;
  const take = (from, to) => {
    if (to <= from) return;
    if (now === null || from - now.stop > BREAK_S) now = { start: from, stop: to, seconds: 0 };
    now.seconds += to - from;
    now.stop = to;
    if (best === null || now.seconds > best.seconds) best = { ...now };
  };
  const left = [...history.touches];
  let at = -Infinity;
  for (const [start, seconds] of history.spans) {
    const stop = start + seconds;
    at = Math.max(at, start);
    while (left.length && left[0].start < stop) {
      const touch = left.shift();
      take(at, touch.start);
      now = null;
      at = Math.max(at, touch.stop);
    }
    take(at, stop);
    at = Math.max(at, stop);
  }
  return best;
}
function change(history, now) {
  const one = period(history, now - 7 * 86400, now);
  const other = period(history, now - 14 * 86400, now - 7 * 86400);
  const ratio = one.rate !== null && other.rate ? one.rate / other.rate : null;
  const clear = ratio !== null && one.count > 0 && Math.abs(Math.log(ratio)) > 1.96 * Math.sqrt(1 / one.count + 1 / other.count);
  return { now: one, before: other, ratio, clear };
}

// src/page/words.ts
function lasting(seconds) {
  if (seconds > 0 && seconds < 0.95) return `${seconds.toFixed(2)} s`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}
var touches = (count) => `${count} ${count === 1 ? "touch" : "touches"}`;
function clock(seconds, exact = false) {
  const style = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(seconds * 1e3).toLocaleTimeString("en-GB", exact ? { ...style, second: "2-digit" } : style);
}
var rateWords = (rate2) => rate2 === null ? "–" : rate2 >= 9.95 ? String(Math.round(rate2)) : rate2.toFixed(1);
function meaning(points, position) {
  const row = points.points.reduce((best, each) => Math.abs(each.position - position) < Math.abs(best.position - position) ? each : best);
  const share = (name) => Math.round(100 * row[name] / points.of[name]);
  return {
    found: share("touch"),
    front: share("front"),
    plain: share("plain"),
    said: `Finds ${share("touch")} of 100 touches. Warns wrongly at ${share("front")} of 100 hands held before the face, and at ${share("plain")} of 100 moments without a hand there.`,
    people: points.of.touch + points.of.front + points.of.plain
  };
}

// src/page/charts.ts
var DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
var LONG_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
var STEPS_S = [15, 60, 120, 300, 600, 1800, 3600, 7200, 10800];
function timeline(box, history, now) {
  const from = dayOf(now);
  const spans = history.spans.filter(([start, seconds]) => start + seconds > from);
  const today = touchesIn(history.touches, from, now + 1);
  const first = Math.min(now, ...spans.map(([start]) => start), ...today.map((touch) => touch.start));
  const last = Math.max(now, ...today.map((touch) => touch.stop));
  const length = Math.max(60, (last - first) * 1.05);
  const begin = Math.max(from, first - length * 0.02);
  const width = box.clientWidth || 1e3;
  const x = (moment) => 8 + (width - 16) * (moment - begin) / length;
  const step = STEPS_S.find((each) => (width - 16) * (each / length) >= 70) ?? 10800;
  const marks = [];
  for (let at = Math.ceil(begin / step) * step; at <= begin + length; at += step) marks.push(at);
  put(
    box,
    draw(
      "svg",
      { viewBox: `0 0 ${width} 66`, role: "img", "aria-label": `${touches(today.length)} today on a line of time` },
      draw("rect", { x: 8, y: 12, width: width - 16, height: 26, rx: 8, fill: "color-mix(in srgb, var(--ink) 5%, transparent)" }),
      ...spans.map(
        ([start, seconds]) => draw("rect", { x: x(Math.max(start, begin)), y: 12, width: Math.max(2, x(start + seconds) - x(Math.max(start, begin))), height: 26, rx: 5, fill: "color-mix(in srgb, var(--calm) 30%, transparent)" })
      ),
      ...today.map(
        (touch) => draw("rect", { x: x(touch.start) - 1, y: 7, width: Math.max(4, x(touch.stop) - x(touch.start)), height: 36, rx: 2, fill: "var(--warn)" }, draw("title", {}, `${clock(touch.start, true)} ${touch.region}, ${lasting(touch.stop - touch.start)}`))
      ),
      ...marks.map((at) => draw("text", { x: x(at), y: 60, "text-anchor": x(at) > width - 30 ? "end" : "middle" }, clock(at, step < 60)))
    )
  );
}
function hero(box, history, now) {
  const from = dayOf(now);
  const { count, seconds, rate: rate2 } = period(history, from, now + 1);
  const time = touchesIn(history.touches, from, now + 1).reduce((sum, touch) => sum + touch.stop - touch.start, 0);
  put(
    box,
    make("h2", {}, "Today"),
    make("p", { class: "figure" }, String(count), make("small", {}, count === 1 ? " touch" : " touches")),
    make("p", {}, rate2 === null ? "A rate is shown from five watched minutes on." : `${rateWords(rate2)} an hour.`),
    make("p", { class: "hint" }, `${lasting(seconds)} watched, ${lasting(time)} of it with a hand at the face.`)
  );
}
function weekCard(box, history, now) {
  const { now: one, before, ratio, clear } = change(history, now);
  const percent = ratio === null ? 0 : Math.round(Math.abs(ratio - 1) * 100);
  const verdict = ratio === null ? make("p", {}, "Compared with the week before as soon as both have five watched minutes.") : percent < 1 ? make("p", {}, "As many as in the week before.") : !clear ? make("p", {}, `${percent} % ${ratio < 1 ? "fewer" : "more"} than the week before, which may be chance`) : make("p", { class: ratio < 1 ? "good" : "more" }, `${percent} % ${ratio < 1 ? "fewer" : "more"} than the week before`);
  put(
    box,
    make("h2", {}, "The last seven days"),
    make("p", { class: "figure" }, rateWords(one.rate), make("small", {}, " touches an hour")),
    verdict,
    make("p", { class: "hint" }, `${touches(one.count)} in ${lasting(one.seconds)}; the week before ${rateWords(before.rate)} an hour.`)
  );
}
function longestCard(box, history, now) {
  const from = dayOf(now);
  const today = longest({ touches: touchesIn(history.touches, from, now + 1), spans: history.spans.filter(([start]) => start >= from) });
  const best = longest(history);
  put(
    box,
    make("h2", {}, "Longest time without a touch"),
    make("p", { class: "figure" }, best ? lasting(best.seconds) : "–"),
    best ? make("p", {}, `On ${day(best.start)}, from ${clock(best.start)} to ${clock(best.stop)}.`) : make("p", {}, "Nothing was watched yet."),
    today && make("p", { class: "hint" }, `Today: ${lasting(today.seconds)}. Only watched time counts.`)
  );
}
function weeksCard(box, history, now) {
  const rows = weeks(history, now);
  const [wide, high, foot] = [640, 150, 170];
  const top = Math.max(1, ...rows.map((row) => row.rate ?? 0));
  const room = wide / rows.length;
  const bars = rows.map((row, n) => {
    const tall = row.rate === null ? 0 : Math.max(3, row.rate / top * high);
    const middle = n * room + room / 2;
    const start = new Date(row.start * 1e3).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
    const told2 = row.rate === null ? `Week of ${start}: too little watched` : `Week of ${start}: ${rateWords(row.rate)} touches an hour, ${lasting(row.seconds)} watched`;
    return draw(
      "g",
      {},
      draw("title", {}, told2),
      row.rate === null ? draw("circle", { cx: middle, cy: foot - 4, r: 2.5, fill: "color-mix(in srgb, var(--ink) 25%, transparent)" }) : draw("rect", { x: middle - room * 0.32, y: foot - tall, width: room * 0.64, height: tall, rx: 5, fill: n === rows.length - 1 ? "var(--calm)" : "color-mix(in srgb, var(--calm) 50%, var(--card))" }),
      row.rate !== null && draw("text", { class: "strong", x: middle, y: foot - tall - 6, "text-anchor": "middle" }, rateWords(row.rate)),
      n % 2 === 1 && draw("text", { x: middle, y: foot + 18, "text-anchor": "middle" }, start)
    );
  });
  const told = rows.filter((row) => row.rate !== null).map((row) => rateWords(row.rate)).join(", ");
  put(
    box,
    make("h2", {}, "Touches an hour, week by week"),
    make("div", { class: "chart" }, draw("svg", { viewBox: `0 0 ${wide} 195`, role: "img", "aria-label": told ? `Touches an hour of the last weeks: ${told}` : "Nothing was watched yet" }, draw("line", { x1: 0, x2: wide, y1: foot, y2: foot, stroke: "var(--line)" }), ...bars)),
    !told && make("p", { class: "hint" }, "A bar appears for each week with five watched minutes.")
  );
}
function faceCard(box, history, now) {
  const rows = byRegion(touchesIn(history.touches, now - 28 * 86400, now + 1)).filter((row) => row.count);
  const most = Math.max(1, ...rows.map((row) => row.count));
  const heat = Object.fromEntries(rows.map((row) => [row.region, row.count / most]));
  const told = rows.map((row) => `${row.region} ${row.count}`).join(", ");
  const bars = rows.slice(0, 7).flatMap((row) => {
    const bar = make("span", { class: "meterbar", "aria-hidden": "true" });
    bar.style.width = `${100 * row.count / most}%`;
    return [make("span", {}, row.region), bar, make("b", {}, String(row.count))];
  });
  put(
    box,
    make("h2", {}, "Where, in four weeks"),
    make(
      "div",
      { class: "face-rows" },
      make("div", { class: "face heat" }, face({ heat, label: told ? `Touches by place: ${told}` : "No touches" })),
      rows.length ? make("div", { class: "ranks" }, ...bars) : make("p", { class: "hint" }, "No touch yet.")
    )
  );
}
function hoursCard(box, history) {
  const table = grid(history);
  const top = Math.max(1, ...table.flat().map((cell) => cell.rate ?? 0));
  const [left, side, tall] = [34, 25, 22];
  const cells = table.flatMap(
    (row, weekday) => row.map((cell, hour) => {
      const words2 = `${LONG_DAYS[weekday]} ${hour}:00: ${cell.rate === null ? "too little watched" : `${rateWords(cell.rate)} touches an hour`}`;
      const share = cell.rate === null ? 0 : 0.12 + 0.88 * (cell.rate / top);
      return draw(
        "rect",
        { x: left + hour * side, y: weekday * tall, width: side - 3, height: tall - 3, rx: 4, fill: cell.rate === null ? "color-mix(in srgb, var(--ink) 5%, transparent)" : `color-mix(in srgb, var(--warn) ${Math.round(share * 100)}%, var(--card))` },
        draw("title", {}, words2)
      );
    })
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
        ...[0, 6, 12, 18, 23].map((hour) => draw("text", { x: left + hour * side + 11, y: 7 * tall + 13, "text-anchor": "middle" }, String(hour)))
      )
    ),
    make("p", { class: "hint" }, words)
  );
}
var day = (moment) => new Date(moment * 1e3).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });

// src/page/stage.ts
var TONES = { face: "#ffffff", hand: "#7cc4ff", touch: "#ff6a35" };
var SURE = 0.5;
function paint(canvas, told, mirrored) {
  const { result, image } = told;
  if (!image) return;
  if (canvas.width !== image.width || canvas.height !== image.height) {
    canvas.width = image.width;
    canvas.height = image.height;
  }
  const pen = canvas.getContext("2d");
  const { width } = canvas;
  pen.save();
  if (mirrored) {
    pen.translate(width, 0);
    pen.scale(-1, 1);
  }
  pen.drawImage(image, 0, 0);
  pen.restore();
  const zoom = width / result.width;
  const place = ([x1, y1, x2, y2]) => {
    const [left, right] = mirrored ? [width - x2 * zoom, width - x1 * zoom] : [x1 * zoom, x2 * zoom];
    return { x: left, y: y1 * zoom, w: right - left, h: (y2 - y1) * zoom };
  };
  const thick = Math.max(2, width / 260);
  for (const box of boxesOf(result)) {
    const at = place(box.xyxy);
    if (box.label === "face") corners(pen, at, told.status === "touching" ? TONES.touch : TONES.face, thick);
    else if (box.label === "hand" || box.kind === "hand") outline(pen, at, TONES.hand, thick);
    else spot(pen, at, thick);
  }
  for (const box of boxesOf(result)) {
    if (box.kind === "region" || box.kind === "hand" && box.label !== "hand") tag(pen, place(box.xyxy), box.label, width);
  }
}
function boxesOf(result) {
  const value = result.value;
  if (value.hands) return value.hands.map((hand) => ({ ...hand, kind: "hand" }));
  const boxes = (value.boxes ?? []).map((box) => ({ ...box, kind: box.label === "face" || box.label === "hand" ? box.label : "region" }));
  return boxes.filter((box) => box.kind !== "region" || (box.score ?? 1) >= SURE);
}
function corners(pen, { x, y, w, h }, tone, thick) {
  const arm = Math.min(w, h) * 0.2;
  const round = Math.min(arm, 14);
  pen.strokeStyle = tone;
  pen.lineWidth = thick;
  pen.lineCap = "round";
  pen.shadowColor = "rgb(0 0 0 / 55%)";
  pen.shadowBlur = 4;
  for (const [cx, cy, dx, dy] of [[x, y, 1, 1], [x + w, y, -1, 1], [x, y + h, 1, -1], [x + w, y + h, -1, -1]]) {
    pen.beginPath();
    pen.moveTo(cx, cy + dy * arm);
    pen.lineTo(cx, cy + dy * round);
    pen.quadraticCurveTo(cx, cy, cx + dx * round, cy);
    pen.lineTo(cx + dx * arm, cy);
    pen.stroke();
  }
  pen.shadowBlur = 0;
}
function outline(pen, { x, y, w, h }, tone, thick) {
  pen.strokeStyle = tone;
  pen.lineWidth = thick;
  pen.setLineDash([thick * 3, thick * 2.5]);
  pen.beginPath();
  pen.roundRect(x, y, w, h, 12);
  pen.stroke();
  pen.setLineDash([]);
}
function spot(pen, { x, y, w, h }, thick) {
  pen.fillStyle = "rgb(255 106 53 / 38%)";
  pen.strokeStyle = TONES.touch;
  pen.lineWidth = thick;
  pen.beginPath();
  pen.ellipse(x + w / 2, y + h / 2, w / 2 + 2, h / 2 + 2, 0, 0, 7);
  pen.fill();
  pen.stroke();
}
function tag(pen, { x, y, w, h }, text, width) {
  const size = Math.max(13, width / 34);
  pen.font = `600 ${size}px system-ui, "Segoe UI", Arial, sans-serif`;
  const wide = pen.measureText(text).width + size;
  const left = Math.max(2, Math.min(width - wide - 2, x + w / 2 - wide / 2));
  const top = Math.max(2, y + h + 6 + size * 1.6 > pen.canvas.height ? y - size * 1.7 : y + h + 6);
  pen.fillStyle = "#b93a12";
  pen.beginPath();
  pen.roundRect(left, top, wide, size * 1.6, size * 0.8);
  pen.fill();
  pen.fillStyle = "#fff";
  pen.textBaseline = "middle";
  pen.fillText(text, left + size / 2, top + size * 0.84);
}

// src/page/guide.ts
var STEPS = [
  { name: "camera", title: "Can you see yourself?", text: "Sit as you usually do. Your face should be in the picture, with some room around it.", next: "I see myself" },
  { name: "sound", title: "Can you hear the alarm?", text: "Press the button and listen. You can change the sound and its volume later.", extra: "Play it", next: "I hear it" },
  { name: "look", title: "Look at the screen", text: "Sit as you usually do, with your hands away from your face, until the bar is full.", task: "look" },
  { name: "touch", title: "Touch your chin", text: "Lay your fingers on your chin and move them a little, until the bar is full.", task: "touch" },
  { name: "front", title: "Hold your hand before your face", text: "Wave before your face as if to greet somebody, without touching it.", task: "front" },
  { name: "object", title: "Drink something", text: "Take a sip from a cup or a bottle, or hold your phone to your ear. The face itself stays untouched.", task: "object" }
];
var TRIAL = "This is a recording, which cannot do as asked: the steps are only shown, and nothing is kept.";
var SETTLE_S = 1;
var dialog = () => byId("guide");
var progress = () => byId("guide-progress");
var Guide = class {
  /** A calibration was made. */
  made = false;
  #engine;
  #mirrored;
  #closed;
  #at = 0;
  #steps = STEPS;
  #keeps = true;
  #over = null;
  /** closed is called when the person is through, or stopped. */
  constructor(engine, mirrored, closed) {
    this.#engine = engine;
    this.#mirrored = mirrored;
    this.#closed = closed;
    buttonOf("guide-next").onclick = () => this.#next();
    buttonOf("guide-extra").onclick = () => this.#engine.testSound();
    buttonOf("guide-cancel").onclick = () => this.#close(false);
    byId("guide").addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#close(false);
    });
  }
  /** keeps: whether a calibration is made in the end. */
  open(canCalibrate, keeps) {
    this.made = false;
    this.#keeps = keeps;
    this.#steps = STEPS.filter((step) => canCalibrate || !step.task);
    this.#at = 0;
    dialog().showModal();
    this.#show();
  }
  /** Say that nothing is watched any more; only the way out is left. */
  end(title, text) {
    this.#over = [title, text];
    if (!dialog().open) return;
    byId("guide-title").textContent = title;
    byId("guide-text").textContent = text;
    byId("guide-progress").hidden = true;
    buttonOf("guide-next").disabled = buttonOf("guide-extra").disabled = true;
    buttonOf("guide-cancel").textContent = "Close";
    buttonOf("guide-cancel").focus();
  }
  frame(told) {
    if (dialog().open) paint(byId("guide-canvas"), told, this.#mirrored());
  }
  #show() {
    if (this.#over) {
      this.end(...this.#over);
      return;
    }
    const step = this.#steps[this.#at];
    byId("guide-title").textContent = step.title;
    byId("guide-text").textContent = step.task && !this.#keeps ? `${step.text} ${TRIAL}` : step.text;
    buttonOf("guide-extra").hidden = !step.extra;
    buttonOf("guide-extra").textContent = step.extra ?? "";
    buttonOf("guide-next").textContent = step.task ? "I am ready" : step.next ?? "";
    buttonOf("guide-next").disabled = false;
    byId("guide-progress").hidden = true;
    byId("guide-steps").replaceChildren(...this.#steps.map((_, n) => make("i", { class: n <= this.#at ? "done" : "" })));
    buttonOf("guide-next").focus();
  }
  async #next() {
    const step = this.#steps[this.#at];
    if (!step) {
      this.#close(true);
      return;
    }
    if (step.task) {
      try {
        await this.#task(step.task);
      } catch (error) {
        if (this.#over) return;
        byId("guide-text").textContent = error.message;
        buttonOf("guide-next").disabled = false;
        return;
      }
      if (this.#over) return;
    }
    this.#at += 1;
    if (this.#at < this.#steps.length) this.#show();
    else await this.#finish();
  }
  async #task(name) {
    buttonOf("guide-next").disabled = true;
    byId("guide-progress").hidden = false;
    progress().value = 0;
    const { seconds } = await this.#engine.calibrate(name);
    const began = performance.now();
    for (let passed = 0; passed < seconds + SETTLE_S && dialog().open && !this.#over; passed = (performance.now() - began) / 1e3) {
      progress().value = passed / (seconds + SETTLE_S);
      await new Promise((done) => setTimeout(done, 100));
    }
  }
  async #finish() {
    let title = "Ready";
    let words = "Move the sliders whenever you like. What you choose is kept for the next time.";
    if (this.#steps.some((step) => step.task)) {
      try {
        await this.#engine.calibrate("finish");
        words = this.#keeps ? "The warnings fit you now. The calibration is a few numbers, no picture; the settings remove it again." : "Nothing was kept, as this is a recording. Before your camera, these steps fit the warnings to you.";
        this.made = this.#keeps;
      } catch (error) {
        title = "That was too little to learn from";
        words = error.message;
      }
    }
    if (this.#over) return;
    byId("guide-title").textContent = title;
    byId("guide-text").textContent = words;
    byId("guide-progress").hidden = true;
    buttonOf("guide-next").disabled = false;
    buttonOf("guide-next").textContent = "Start";
  }
  #close(done) {
    if (!this.made && this.#steps.some((step) => step.task)) this.#engine.calibrate("cancel").catch(() => {
    });
    dialog().close();
    this.#closed(done);
  }
};

// src/page/app.ts
var SWITCHES = ["glow", "notify", "low_power", "early", "keep_wrong"];
var SLIDERS = ["volume", "min_time", "cooldown"];
var VIEWS = ["live", "history", "settings"];
var GLOW_MS = 2500;
var WEEKS = 12;
var LATE_S = 60;
var AGAIN = "To watch again, type handlens watch.";
var RESTARTED = "handlens was started again";
var NEW_ADDRESS = "This page belongs to the run before. Open the address that handlens printed when it was started.";
var PLACES = "Every touch is counted. The alarm sounds for these places.";
var NO_PLACE = "Every touch is counted. No place is chosen: there will be no warning.";
var App = class {
  #engine;
  #guide;
  #hello = null;
  #state = null;
  #last = null;
  // the newest one
  #waiting = null;
  // not drawn yet
  #status = "";
  #count = 0;
  #touched = "";
  #touchEnd = null;
  #snoozeEnds = null;
  #ended = false;
  #lost = false;
  #restarted = false;
  #blind = null;
  // why there is no camera
  #numbers = /* @__PURE__ */ new Map();
  // start of a touch that goes on -> its number
  #judged = [];
  // touches that can be called right or wrong
  #history = { touches: [], spans: [] };
  #kept = null;
  #glowing = 0;
  #noticing = 0;
  constructor(engine) {
    this.#engine = engine;
    this.#guide = new Guide(engine, () => this.#mirrored, (done) => this.#afterGuide(done));
  }
  get #mirrored() {
    return this.#hello?.sourceKind === "camera";
  }
  start() {
    this.#connect();
    this.#engine.listen((told) => this.#hear(told));
    this.#engine.start();
    this.#route();
    window.addEventListener("hashchange", () => this.#route());
    window.addEventListener("resize", calmly(() => this.#showHistory()));
    document.addEventListener("visibilitychange", () => this.#engine.look(!document.hidden));
    setInterval(() => this.#tick(), 1e3);
  }
  // What the engine tells
  #hear(told) {
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
  #greet(told) {
    this.#hello = told;
    this.#connection(true);
    const camera = told.cameras.find((each) => String(each.number) === told.source);
    const kinds = { camera: camera?.name ?? "Camera", video: "A recording", stream: "A stream" };
    byId("source").textContent = kinds[told.sourceKind] ?? told.source;
    byId("source").title = told.source;
    byId("camera").replaceChildren(
      ...(told.cameras.length ? told.cameras : [{ number: -1, name: kinds[told.sourceKind] ?? told.source }]).map(
        (each) => make("option", { value: each.number, selected: String(each.number) === told.source }, each.name)
      )
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
    byId("calibration-words").textContent = told.calibrated ? "Your calibration is in use: it was made from what the camera saw of you, and holds a few numbers, no picture." : told.canCalibrate ? "A minute of showing what is a touch and what is none fits the warnings to you." : "Shows the camera and the sound once more.";
    byId("guide-again").textContent = told.calibrated ? "Set it up again" : "Set it up";
    if (told.ownWords) byId("own-words").textContent = told.ownWords;
    if (told.keptWords) byId("kept-hint").textContent = told.keptWords;
    this.#words();
    this.#load();
    this.#loadKept();
  }
  #stateIs(told) {
    this.#state = told;
    const settings = told.settings;
    byId("controls").disabled = this.#ended;
    byTest("sensitivity").value = String(Math.round(100 * (1 - settings.open)));
    this.#words();
    for (const region of this.#hello?.regions ?? []) this.#mark(region, settings.regions.includes(region));
    byId("regions-hint").textContent = settings.regions.length ? PLACES : NO_PLACE;
    for (const id of SWITCHES) inputOf(id).checked = Boolean(settings[id]);
    for (const id of SLIDERS) if (document.activeElement !== byId(id)) inputOf(id).value = String(settings[id]);
    selectOf("sound").value = settings.sound;
    labelOf("keep").hidden = settings.keep_days === void 0;
    this.#keepFor(settings.keep_days);
    this.#outputs();
    byTest("pause").setAttribute("aria-pressed", String(told.paused));
    byTest("pause").textContent = told.paused ? "Go on" : "Pause";
    byTest("snooze").setAttribute("aria-pressed", String(told.snoozed));
    byTest("snooze").textContent = told.snoozed ? "End snooze" : "Snooze";
    this.#snoozeEnds = told.snoozed && told.snoozed_s !== null ? Date.now() / 1e3 + told.snoozed_s : null;
    this.#veil();
    this.#showStatus();
    this.#tick();
  }
  #frame(told) {
    this.#count = told.count;
    this.#last = told;
    if (!this.#waiting) {
      requestAnimationFrame(() => {
        const frame = this.#waiting;
        this.#waiting = null;
        if (!frame) return;
        if (!this.#state?.paused) paint(byTest("video"), frame, this.#mirrored);
        this.#guide.frame(frame);
      });
    } else this.#waiting.image?.close();
    this.#waiting = told;
    byTest("touch-count").textContent = String(told.count);
    if (told.region) byTest("last-region").textContent = told.region;
    this.#showStatus();
  }
  #opened(count, event) {
    this.#count = count;
    this.#touchEnd = null;
    this.#touched = event.label;
    this.#numbers.set(event.start, count);
    byTest("touch-count").textContent = String(count);
    byTest("last-region").textContent = event.label;
    this.#announce(`Touching: ${event.label}`);
    this.#showStatus();
  }
  #closedTouch(event) {
    this.#touchEnd = Date.now() / 1e3;
    this.#remember(event);
    byTest("last-region").textContent = event.label;
    this.#announce(`${event.label}, ${lasting(event.stop - event.start)}`);
    this.#loadSoon();
  }
  /** Note the number of a touch, by which its picture is judged; the history knows no numbers. */
  #remember(event) {
    const number = this.#numbers.get(event.start);
    this.#numbers.delete(event.start);
    if (number !== void 0) this.#judged.push({ number, region: event.label, seconds: event.stop - event.start, until: Date.now() / 1e3 });
    if (this.#judged.length > 50) this.#judged.shift();
  }
  #warn(words) {
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
  #end(count, history) {
    this.#ended = true;
    this.#count = count;
    byTest("touch-count").textContent = String(count);
    if (history) this.#historyIs(history);
    this.#veil();
    this.#showStatus();
    byId("controls").disabled = true;
    this.#guide.end("The watch has ended", AGAIN);
    this.#announce("The watch has ended.");
  }
  #connection(found) {
    this.#lost = !found;
    if (!found) byId("controls").disabled = true;
    this.#veil();
    this.#showStatus();
  }
  // What is shown
  #showStatus() {
    const paused = this.#state?.paused;
    const status = this.#ended || this.#lost ? this.#ended ? "ended" : "no answer" : paused ? "paused" : this.#blind ? "no camera" : this.#last?.status ?? "starting";
    const verdict = byId("verdict");
    verdict.dataset.state = ["clear", "touching", "paused", "no face"].includes(status) ? status : "wait";
    if (status !== this.#status) {
      this.#status = status;
      byTest("status").textContent = status;
      document.title = status === "touching" ? "● touching – handlens" : `${status} – handlens`;
    }
    byId("detail").textContent = this.#detail(status);
  }
  #detail(status) {
    if (status === "touching") return surest(this.#last?.result) || this.#touched || "";
    if (status === "paused") return "nothing is looked at";
    if (status === "no camera") return this.#blind ?? "";
    if (this.#state?.snoozed) return this.#snoozeEnds ? `alarm quiet for ${lasting(Math.max(1, this.#snoozeEnds - Date.now() / 1e3))}` : "alarm quiet";
    if (status === "no face") return "not counted";
    if (status === "clear") return `${touches(this.#count)} since the start`;
    return status === "starting" ? "waiting for the first picture" : "";
  }
  #veil() {
    const paused = this.#state?.paused;
    if (paused) byTest("video").getContext("2d")?.clearRect(0, 0, 1e5, 1e5);
    byId("veil").hidden = !(this.#ended || this.#lost || paused);
    byId("veil-title").textContent = this.#ended ? "The watch has ended" : this.#restarted ? RESTARTED : this.#lost ? "handlens does not answer" : "Paused";
    byId("veil-text").textContent = this.#ended ? `${touches(this.#count)} were counted. ${AGAIN}`.replace("1 touch were", "1 touch was") : this.#lost ? this.#restarted ? NEW_ADDRESS : "Is it still running? This page connects by itself." : this.#mirrored ? "The camera is closed." : "Nothing is looked at.";
    byId("veil-button").hidden = this.#ended || this.#lost;
  }
  #words() {
    const position = Number(byTest("sensitivity").value);
    const box = byId("sensitivity-words");
    if (!this.#hello?.points) {
      box.replaceChildren(make("p", { class: "hint" }, this.#hello ? `Warns from a probability of ${Math.round(100 - position)} % on. This model was not measured.` : ""));
      return;
    }
    const told = meaning(this.#hello.points, position);
    const row = (number, words) => make("p", { class: "meter" }, make("b", {}, `${number} %`), make("span", {}, words));
    box.replaceChildren(
      row(told.found, "of touches are found"),
      row(told.front, "of hands held before the face warn wrongly"),
      row(told.plain, "of pictures without a hand there warn wrongly"),
      make("p", { class: "hint" }, `Measured on ${told.people} pictures of people at a webcam whom the model never saw.`)
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
    const choice = selectOf("keep");
    const [value, known] = [String(days), [...choice.options].map((option) => option.value)];
    if (days !== void 0 && !known.includes(value)) choice.append(make("option", { value }, `${days} days`));
    choice.value = value;
  }
  #outputs() {
    byId("min_time-out").textContent = lasting(Number(inputOf("min_time").value));
    byId("cooldown-out").textContent = `${inputOf("cooldown").value} s`;
  }
  #announce(text) {
    byId("announcer").textContent = text;
  }
  #notice(text) {
    byId("notice").textContent = text;
    byId("notice").hidden = false;
    clearTimeout(this.#noticing);
    this.#noticing = window.setTimeout(() => byId("notice").hidden = true, 8e3);
  }
  #tick() {
    const now = Date.now() / 1e3;
    const last = this.#touchEnd ?? this.#history.touches.at(-1)?.stop;
    byId("since").textContent = this.#status === "touching" ? "0 s" : last === void 0 || last < dayOf(now) ? "–" : lasting(Math.max(0, Math.floor(now - last)) || 0).replace(".0", "");
    if (!this.#ended) this.#showStatus();
  }
  // The history
  async #load() {
    if (!this.#hello?.hasHistory) return;
    try {
      this.#historyIs(await this.#engine.history(weekOf(Date.now() / 1e3, 1 - WEEKS)));
    } catch (error) {
      if (!this.#ended && !this.#lost) this.#notice(error.message);
    }
  }
  #loadSoon = calmly(() => this.#load(), 300);
  #historyIs(history) {
    this.#history = history;
    this.#showHistory();
  }
  #showHistory() {
    const now = Date.now() / 1e3;
    const today = touchesIn(this.#history.touches, dayOf(now), now + 60);
    const { seconds, rate: rate2 } = period(this.#history, dayOf(now), now + 60);
    byId("today-words").textContent = this.#hello?.hasHistory ? `${touches(today.length)} in ${lasting(seconds)} watched${rate2 === null ? "" : `, ${rateWords(rate2)} an hour`}` : "no history is kept";
    byId("today-none").hidden = today.length > 0;
    byTest("history-today").replaceChildren(
      ...today.map(
        (touch) => make(
          "li",
          { "data-start": touch.start.toFixed(3), "data-stop": touch.stop.toFixed(3), "data-region": touch.region },
          make("time", {}, clock(touch.start, true)),
          make("span", {}, touch.region),
          make("span", {}, lasting(touch.stop - touch.start)),
          ...this.#judging(touch)
        )
      )
    );
    byTest("history-today").scrollTop = 1e6;
    if (!byId("view-live").hidden) timeline(byId("today-bar"), this.#history, now);
    if (byId("view-history").hidden) return;
    hero(byId("hero"), this.#history, now);
    weekCard(byId("week-card"), this.#history, now);
    longestCard(byId("longest-card"), this.#history, now);
    weeksCard(byId("weeks-card"), this.#history, now);
    faceCard(byId("face-card"), this.#history, now);
    hoursCard(byId("hours-card"), this.#history);
  }
  #judging(touch) {
    if (!this.#state?.settings.keep_wrong) return [];
    const late = (each) => Math.abs(each.until - touch.stop);
    const same = (each) => each.region === touch.region && Math.abs(each.seconds - (touch.stop - touch.start)) < 0.02 && late(each) < LATE_S;
    const [known] = this.#judged.filter(same).sort((one, other) => late(one) - late(other));
    if (!known) return [];
    if (known.answer) return [make("span", {}, known.answer)];
    const answer = (right) => async (event) => {
      try {
        await this.#engine.judge(known.number, right);
        known.answer = right ? "kept as right" : "kept as wrong";
        event.target.parentElement?.replaceChildren(known.answer);
        await this.#loadKept();
      } catch (error) {
        this.#notice(error.message);
      }
    };
    return [make("span", {}, make("button", { onclick: answer(true) }, "right"), " ", make("button", { onclick: answer(false) }, "wrong"))];
  }
  // What the person chooses
  #connect() {
    const engine = this.#engine;
    const set = calmly((name, value) => engine.set(name, value));
    byTest("pause").onclick = () => this.#state?.paused ? engine.resume() : engine.pause(null);
    byId("veil-button").onclick = () => engine.resume();
    byTest("snooze").onclick = () => {
      const chosen = selectOf("snooze-for").value;
      engine.snooze(this.#state?.snoozed ? 0 : chosen === "" ? null : Number(chosen));
    };
    byTest("sensitivity").oninput = () => {
      this.#words();
      set("sensitivity", Number(byTest("sensitivity").value));
    };
    for (const id of SLIDERS) {
      const change2 = calmly((value) => engine.set(id, value));
      byId(id).oninput = () => {
        this.#outputs();
        change2(Number(inputOf(id).value));
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
    byId("confirm-no").onclick = () => byId("confirm").close();
    byId("guide-start").onclick = byId("guide-again").onclick = () => this.#guide.open(Boolean(this.#hello?.canCalibrate), this.#hello?.keepsCalibration ?? true);
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
      ...["forehead", "eye", "nose", "mouth", "cheek", "chin", "ear"].map(
        (region) => make(
          "label",
          { class: "check" },
          make("input", { type: "checkbox", checked: true, "data-testid": `region-${region}`, onchange: (event) => this.#pick(region, event.target.checked) }),
          make("span", {}, region)
        )
      )
    );
  }
  #pick(region, on) {
    this.#mark(region, on);
    const chosen = (this.#hello?.regions ?? []).filter((each) => byTest(`region-${each}`).checked);
    this.#engine.set("regions", chosen);
  }
  async #allowNotices() {
    const wanted = inputOf("notify").checked;
    if (wanted && (!("Notification" in window) || await Notification.requestPermission() !== "granted")) {
      inputOf("notify").checked = false;
      this.#notice("The browser does not allow notifications for this page: allow them beside its address.");
      return;
    }
    this.#engine.set("notify", wanted);
  }
  async #export() {
    save(await this.#engine.exportAddress(), "handlens-history.csv");
  }
  async #loadKept() {
    if (!this.#hello?.canJudge) return;
    try {
      this.#kept = await this.#engine.kept();
    } catch {
      return;
    }
    const { count, place, saves } = this.#kept;
    byId("kept-words").textContent = count ? `${pictures(count)} ${count === 1 ? "is" : "are"} kept${place ? ` in ${place}` : ""}.` : "No picture is kept.";
    byId("kept-save").hidden = !saves || !count;
    byId("kept-delete").hidden = !count;
  }
  async #saveKept() {
    try {
      save(await this.#engine.keptAddress(), "handlens-alarms.zip");
    } catch (error) {
      this.#notice(error.message);
    }
  }
  /** Ask whether to delete, and do it when the person says so. */
  async #askAndDelete(what) {
    await this.#loadKept();
    const count = this.#kept?.count ?? 0;
    const all = what === "everything";
    byId("confirm-title").textContent = all ? "Delete everything?" : "Delete the pictures?";
    byId("confirm-yes").textContent = all ? "Delete everything" : "Delete them";
    const things = all ? `All touches of all days${count ? `, and ${pictures(count)} kept for training,` : ""} are deleted` : `${pictures(count)} kept for training ${count === 1 ? "is" : "are"} deleted`;
    byId("confirm-text").textContent = `${things}. This cannot be undone.`;
    byId("confirm-yes").onclick = () => this.#delete(what);
    byId("confirm").showModal();
  }
  async #delete(what) {
    byId("confirm").close();
    try {
      if (what === "everything") {
        await this.#engine.deleteEverything();
        this.#touchEnd = null;
        await this.#load();
      } else await this.#engine.deleteKept();
      await this.#loadKept();
      this.#notice(what === "everything" ? "Everything was deleted." : "The pictures were deleted.");
    } catch (error) {
      this.#notice(error.message);
    }
  }
  async #removeCalibration() {
    try {
      await this.#engine.calibrate("remove");
      if (this.#hello) this.#greet({ ...this.#hello, calibrated: false });
    } catch (error) {
      this.#notice(error.message);
    }
  }
  #afterGuide(done) {
    byId("welcome").hidden = true;
    if (this.#guide.made && this.#hello) this.#greet({ ...this.#hello, calibrated: true, firstTime: false });
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
    if (view === "settings") this.#loadKept();
  }
};
var labelOf = (id) => byId(id).closest("label");
var pictures = (count) => `${count} ${count === 1 ? "picture" : "pictures"}`;
function save(address, name) {
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}
function surest(result) {
  const regions = (result?.value.boxes ?? []).filter((box) => box.label !== "face" && box.label !== "hand");
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
  }
}

// src/page/engine.ts
var Talking = class {
  #listeners = [];
  listen(listener) {
    this.#listeners.push(listener);
  }
  tell(told) {
    for (const listener of this.#listeners) listener(told);
  }
};

// src/local/engine.ts
var AGAIN_MS = 1e3;
var LocalEngine = class extends Talking {
  #token = new URLSearchParams(location.search).get("token") ?? "";
  #socket = null;
  #waiting = /* @__PURE__ */ new Map();
  #number = 0;
  #over = false;
  #visible = true;
  start() {
    const socket = new WebSocket(`ws://${location.host}/live?token=${encodeURIComponent(this.#token)}`);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (message) => this.#take(message.data);
    socket.onopen = () => this.look(this.#visible);
    socket.onclose = () => {
      for (const { fail } of this.#waiting.values()) fail(new Error("handlens does not answer."));
      this.#waiting.clear();
      if (this.#over) return;
      void this.#again();
    };
  }
  /** Try again, unless another run answers here: a socket does not say why it was refused. */
  async #again() {
    this.tell({ kind: "lost" });
    const address = `/?token=${encodeURIComponent(this.#token)}`;
    const status = await fetch(address, { method: "HEAD", cache: "no-store" }).then((answer) => answer.status, () => 0);
    if (status === 403) this.tell({ kind: "lost", restarted: true });
    else setTimeout(() => this.start(), AGAIN_MS);
  }
  async #take(data) {
    if (typeof data === "string") {
      const told2 = JSON.parse(data);
      if (told2.kind === "ended") this.#over = true;
      if (told2.kind === "reply") this.#answer(told2);
      else this.tell(told2);
      return;
    }
    const length = new DataView(data).getUint32(0, true);
    const told = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    const jpeg = data.byteLength > 4 + length ? new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }) : null;
    told.image = jpeg && await createImageBitmap(jpeg).catch(() => null);
    this.tell(told);
    this.#send({ do: "next" });
  }
  #answer(told) {
    const id = told.id ?? -1;
    const asked = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (told.error && !asked) this.tell({ kind: "problem", text: told.error });
    if (told.error) asked?.fail(new Error(told.error));
    else asked?.done(told.answer);
  }
  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
  #ask(message) {
    const id = this.#number = (this.#number + 1) % 1e4;
    return new Promise((done, fail) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        fail(new Error("handlens does not answer."));
        return;
      }
      this.#waiting.set(id, { done: (answer) => done(answer), fail });
      this.#send({ ...message, id });
    });
  }
  set(name, value) {
    this.#send({ do: "set", name, value });
  }
  pause(seconds) {
    this.#send({ do: "pause", seconds });
  }
  resume() {
    this.#send({ do: "resume" });
  }
  snooze(seconds) {
    this.#send({ do: "snooze", seconds });
  }
  chooseCamera(number) {
    this.#send({ do: "camera", number });
  }
  testSound() {
    this.#send({ do: "test-sound" });
  }
  history(since) {
    return this.#ask({ do: "history", since });
  }
  deleteEverything() {
    return this.#ask({ do: "delete", sure: true });
  }
  exportAddress() {
    return `/history.csv?token=${encodeURIComponent(this.#token)}`;
  }
  judge(number, right) {
    return this.#ask({ do: "judge", number, right });
  }
  async kept() {
    return { ...await this.#ask({ do: "kept" }), saves: false };
  }
  deleteKept() {
    return this.#ask({ do: "delete-kept", sure: true });
  }
  keptAddress() {
    return Promise.reject(new Error("the pictures lie in a folder of this computer already."));
  }
  calibrate(step) {
    return this.#ask({ do: "calibrate", step });
  }
  look(visible) {
    this.#visible = visible;
    this.#send({ do: "view", video: visible });
  }
};

// src/local/main.ts
new App(new LocalEngine()).start();
export {
  stats_exports as stats
};
