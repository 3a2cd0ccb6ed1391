// The way of a frame: detector -> crop of each face -> contact model -> boxes, as handlens.tasks.contact goes it.
import type { Corners } from "../page/engine";

export interface Picture {
  width: number;
  height: number;
  /** RGBA bytes. */
  data: Uint8ClampedArray;
}

/** What a model says about itself; see handlens.card. */
export interface Card {
  name: string;
  version: string;
  names: string[];
  size: number[];
  stride: number;
  mean: number[];
  std: number[];
  thresholds: Record<string, number>;
  calibration: Record<string, number>;
  options: Record<string, number>;
}

export interface Cards {
  facehand: Card;
  touch: Card;
}

export interface Array4 {
  data: Float32Array;
  dims: readonly number[];
}

export type Answer = Record<string, Array4>;
export type Run = (input: Float32Array, dims: number[]) => Promise<Answer>;

export interface Runs {
  facehand: Run;
  touch: Run;
}

/** A box of the detector, in pixels of the source. */
export interface Found {
  label: string;
  score: number;
  xyxy: Corners;
}

/** A box with its owner: the rows of its face and its hand, -1 for none. */
export interface Row extends Found {
  face: number;
  hand: number;
}

export interface Seen {
  touch: number;
  boxes: Row[];
  /** Row and probability of each face that was judged. */
  faces: [row: number, probability: number][];
  /** Faint boxes as well, where the detector was asked. */
  faint: Found[] | null;
}

/** The way from the source into a crop. */
interface Way {
  scaleX: number;
  scaleY: number;
  x1: number;
  y1: number;
  width: number;
  height: number;
}

interface Gathered {
  first: Int32Array;
  at: Int32Array;
  weight: Float32Array;
}

interface Fitted {
  input: Float32Array;
  netW: number;
  netH: number;
  scaleX: number;
  scaleY: number;
}

const PAD = 114; // grey of what lies outside the picture
const SMALLEST = 8;
const ONE_HAND = 0.6;
const CANDIDATES = 1000;
const OWNERS = ["face", "hand"];

const f32 = Math.fround;
const area = ([x1, y1, x2, y2]: Corners): number => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
const shared = (one: Corners, other: Corners): number =>
  Math.max(0, Math.min(one[2], other[2]) - Math.max(one[0], other[0])) * Math.max(0, Math.min(one[3], other[3]) - Math.max(one[1], other[1]));
const iou = (one: Corners, other: Corners): number => shared(one, other) / Math.max(1e-9, area(one) + area(other) - shared(one, other));
const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
const threshold = (card: Card, label: string, other = 0.25): number => card.thresholds[label] ?? card.thresholds.score ?? other;

function calibrated(card: Card, logit: number): number {
  return 1 / (1 + Math.exp(-((card.calibration.a ?? 1) * logit + (card.calibration.b ?? 0))));
}

/** Return RGB planes (float) of a part of a picture, scaled: by area where it shrinks, linear where it grows. */
export function scaled(picture: Picture, left: number, top: number, width: number, height: number, wide: number, high: number): Float32Array {
  const count = wide * high;
  const planes = new Float32Array(3 * count);
  const [xs, ys] = count < width * height ? [areas(width, wide), areas(height, high)] : [lines(width, wide), lines(height, high)];
  const { data } = picture;
  const halved = width === 2 * wide && height === 2 * high; // OpenCV has a way of its own for it
  const row = new Float32Array(3 * wide); // one line of the source, scaled in x
  const sum = new Float32Array(3 * wide); // one line of the result
  let ready = -1; // the line of the source that `row` holds
  for (let y = 0; y < high; y++) {
    sum.fill(0);
    for (let part = ys.first[y]; part < ys.first[y + 1]; part++) {
      const line = ys.at[part];
      if (line !== ready) {
        const base = (top + line) * picture.width + left;
        for (let x = 0; x < wide; x++) {
          let r = 0;
          let g = 0;
          let b = 0;
          for (let n = xs.first[x]; n < xs.first[x + 1]; n++) {
            const i = (base + xs.at[n]) * 4;
            const weight = xs.weight[n];
            r = f32(r + f32(data[i] * weight)); // in single precision, step by step, as OpenCV does: halves decide
            g = f32(g + f32(data[i + 1] * weight));
            b = f32(b + f32(data[i + 2] * weight));
          }
          row[x] = r;
          row[wide + x] = g;
          row[2 * wide + x] = b;
        }
        ready = line;
      }
      const weight = ys.weight[part];
      for (let x = 0; x < sum.length; x++) sum[x] += f32(row[x] * weight);
    }
    for (let channel = 0; channel < 3; channel++) {
      const to = channel * count + y * wide;
      for (let x = 0; x < wide; x++) planes[to + x] = halved ? Math.floor(sum[channel * wide + x] + 0.5) : byte(sum[channel * wide + x]);
    }
  }
  return planes;
}

/** Round as OpenCV does: halves to the even number. */
function byte(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest === 0.5 ? low + (low % 2) : low + (rest > 0.5 ? 1 : 0);
}

/** Gathers for each of `to` pixels the pixels of a line that it is made of: at and weight, from first[n] to first[n + 1]. */
function gathered(to: number, each: (n: number, put: (place: number, share: number) => void) => void): Gathered {
  const first = new Int32Array(to + 1);
  const at: number[] = [];
  const weight: number[] = [];
  for (let n = 0; n < to; n++) {
    each(n, (place, share) => {
      at.push(place);
      weight.push(share);
    });
    first[n + 1] = at.length;
  }
  return { first, at: Int32Array.from(at), weight: Float32Array.from(weight) };
}

/** For each of `to` pixels the pixels of `from` that it covers, with their shares. */
function areas(from: number, to: number): Gathered {
  const step = from / to;
  return gathered(to, (n, put) => {
    const begin = n * step;
    const end = begin + step;
    const cell = Math.min(step, from - begin);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(begin), last);
    if (first - begin > 1e-3) put(first - 1, (first - begin) / cell);
    for (let at = first; at < last; at++) put(at, 1 / cell);
    if (end - last > 1e-3) put(last, Math.min(end - last, 1, cell) / cell);
  });
}

function lines(from: number, to: number): Gathered {
  return gathered(to, (n, put) => {
    const at = clamp(((n + 0.5) * from) / to - 0.5, 0, from - 1);
    const low = Math.floor(at);
    put(low, 1 - (at - low));
    if (low + 1 < from && at > low) put(low + 1, at - low);
  });
}

function normalise(planes: Float32Array, count: number, card: Card): Float32Array {
  for (let channel = 0; channel < 3; channel++) {
    const mean = card.mean[channel];
    const std = card.std[channel];
    for (let i = channel * count; i < (channel + 1) * count; i++) planes[i] = (planes[i] - mean) / std;
  }
  return planes;
}

/** The detector's input: the longest side as the card says, grey at the right and bottom up to the stride. */
function fitted(picture: Picture, card: Card): Fitted {
  const [net] = card.size;
  const scale = net / Math.max(picture.width, picture.height);
  const wide = Math.max(1, Math.round(picture.width * scale));
  const high = Math.max(1, Math.round(picture.height * scale));
  const [netW, netH] = [wide, high].map((side) => Math.ceil(side / card.stride) * card.stride);
  const inner = scaled(picture, 0, 0, picture.width, picture.height, wide, high);
  const planes = new Float32Array(3 * netW * netH).fill(PAD);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < high; y++) {
      planes.set(inner.subarray((channel * high + y) * wide, (channel * high + y + 1) * wide), (channel * netH + y) * netW);
    }
  }
  return { input: normalise(planes, netW * netH, card), netW, netH, scaleX: wide / picture.width, scaleY: high / picture.height };
}

/** Boxes of the detector, best first; floor: from which score on, in place of the thresholds of the card. */
function detections(boxes: Float32Array, scores: Float32Array, card: Card, way: Fitted, picture: Picture, floor?: number): Found[] {
  const floors = card.names.map((name) => floor ?? threshold(card, name));
  let rows: Found[] = [];
  const classes = card.names.length;
  for (let n = 0; n < scores.length / classes; n++) {
    for (let c = 0; c < classes; c++) {
      const score = scores[n * classes + c];
      if (!(score >= floors[c]) || score <= 0) continue;
      const raw = boxes.slice(n * 4, n * 4 + 4);
      if (!raw.every(Number.isFinite)) continue;
      const xyxy: Corners = [
        clamp(raw[0] / way.scaleX, 0, picture.width),
        clamp(raw[1] / way.scaleY, 0, picture.height),
        clamp(raw[2] / way.scaleX, 0, picture.width),
        clamp(raw[3] / way.scaleY, 0, picture.height),
      ];
      rows.push({ label: card.names[c], score: Math.min(1, score), xyxy });
    }
  }
  rows = rows.sort((one, other) => other.score - one.score).slice(0, CANDIDATES);
  const limit = card.options.nms ?? 0.5;
  const kept: Found[] = [];
  for (const row of rows) {
    if (area(row.xyxy) > 0 && !kept.some((other) => other.label === row.label && iou(other.xyxy, row.xyxy) > limit)) kept.push(row);
  }
  return kept;
}

/** One box for each hand: of two that mostly share the smaller one, the larger and surer stays. */
function withoutTwins(found: Found[]): Found[] {
  const hands = found.filter((row) => row.label === "hand").sort((one, other) => area(other.xyxy) * other.score - area(one.xyxy) * one.score);
  const kept: Found[] = [];
  for (const hand of hands) {
    const [x1, y1, x2, y2] = hand.xyxy;
    const alone = kept.every((other) => shared(hand.xyxy, other.xyxy) <= ONE_HAND * Math.min(area(hand.xyxy), area(other.xyxy)));
    if (Math.max(x2 - x1, y2 - y1) >= SMALLEST && alone) kept.push(hand);
  }
  return found.filter((row) => row.label !== "hand" || kept.includes(row));
}

/** What a square shows, (3, size, size) normalised, grey outside the picture, and the way back. */
function crop(picture: Picture, box: Corners, size: number, card: Card): { planes: Float32Array; way: Way } {
  const [x1, y1, x2, y2] = box;
  const [scaleX, scaleY] = [size / (x2 - x1), size / (y2 - y1)];
  const left = clamp(Math.floor(x1) - 1, 0, picture.width);
  const right = clamp(Math.ceil(x2) + 1, 0, picture.width);
  const top = clamp(Math.floor(y1) - 1, 0, picture.height);
  const bottom = clamp(Math.ceil(y2) + 1, 0, picture.height);
  const planes = new Float32Array(3 * size * size).fill(PAD);
  const way = { scaleX, scaleY, x1, y1, width: picture.width, height: picture.height };
  if (left >= right || top >= bottom) return { planes: normalise(planes, size * size, card), way };
  let [wide, high] = [right - left, bottom - top];
  const shrinks = Math.min(scaleX, scaleY) < 0.5;
  if (shrinks) [wide, high] = [Math.max(1, Math.round(wide * Math.min(1, scaleX))), Math.max(1, Math.round(high * Math.min(1, scaleY)))];
  const part = scaled(picture, left, top, right - left, bottom - top, wide, high);
  const [restX, restY] = [(scaleX * (right - left)) / wide, (scaleY * (bottom - top)) / high];
  const [shiftX, shiftY] = [(left - x1) * scaleX + (restX - 1) / 2, (top - y1) * scaleY + (restY - 1) / 2];
  const padded = framed(part, wide, high);
  const line = wide + 2;
  for (let y = 0; y < size; y++) {
    const sy = (y - shiftY) / restY;
    const y0 = Math.floor(sy);
    const fy = sy - y0;
    if (y0 < -1 || y0 >= high) continue;
    for (let x = 0; x < size; x++) {
      const sx = (x - shiftX) / restX;
      const x0 = Math.floor(sx);
      const fx = sx - x0;
      if (x0 < -1 || x0 >= wide) continue;
      for (let channel = 0; channel < 3; channel++) {
        const at = (channel * (high + 2) + y0 + 1) * line + x0 + 1;
        const upper = padded[at] * (1 - fx) + padded[at + 1] * fx;
        const lower = padded[at + line] * (1 - fx) + padded[at + line + 1] * fx;
        planes[(channel * size + y) * size + x] = Math.floor(upper * (1 - fy) + lower * fy + 0.5);
      }
    }
  }
  return { planes: normalise(planes, size * size, card), way };
}

/** Return the planes with a grey pixel around them. */
function framed(planes: Float32Array, wide: number, high: number): Float32Array {
  const padded = new Float32Array(3 * (wide + 2) * (high + 2)).fill(PAD);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < high; y++) {
      padded.set(planes.subarray((channel * high + y) * wide, (channel * high + y + 1) * wide), (channel * (high + 2) + y + 1) * (wide + 2) + 1);
    }
  }
  return padded;
}

function flipped(values: Float32Array, side: number): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < values.length; row += side) for (let x = 0; x < side; x++) turned[row + x] = values[row + side - 1 - x];
  return turned;
}

/** Ask the contact model about one crop; where it is in doubt once more in a mirror. */
async function lookedAt(run: Run, planes: Float32Array, card: Card): Promise<Answer> {
  const [size] = card.size;
  const answer = await run(planes, [1, 3, size, size]);
  if (Math.abs(answer.touch_logit.data[0]) >= (card.options.second_look ?? 0)) return answer;
  const mirrored = await run(flipped(planes, size), [1, 3, size, size]);
  const both: Answer = {};
  for (const [name, { data, dims }] of Object.entries(answer)) {
    let other = mirrored[name].data;
    if (dims.length === 4) other = flipped(other, dims[3]);
    else if (name === "side_scores") other = flipped(other, dims.at(-1) ?? 1);
    both[name] = { dims, data: data.map((value, n) => (value + other[n]) / 2) };
  }
  return both;
}

/** The box in the source of a mask (side x side of 0 and 1), or null. */
function boxOf(mask: number[], side: number, way: Way, net: number): Corners | null {
  let [x1, y1, x2, y2] = [side, side, -1, -1];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (!mask[y * side + x]) continue;
      [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x), Math.max(y2, y)];
    }
  }
  if (x2 < 0) return null;
  const cell = net / side;
  const box: Corners = [
    clamp((x1 * cell) / way.scaleX + way.x1, 0, way.width),
    clamp((y1 * cell) / way.scaleY + way.y1, 0, way.height),
    clamp(((x2 + 1) * cell) / way.scaleX + way.x1, 0, way.width),
    clamp(((y2 + 1) * cell) / way.scaleY + way.y1, 0, way.height),
  ];
  return box[2] > box[0] && box[3] > box[1] ? box : null;
}

function grown(mask: number[], side: number): number[] {
  return mask.map((_, n) => {
    const [x, y] = [n % side, Math.floor(n / side)];
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        if (x + dx >= 0 && x + dx < side && y + dy >= 0 && y + dy < side && mask[(y + dy) * side + x + dx]) return 1;
      }
    }
    return 0;
  });
}

/** The connected part of a mask that shares most with a region, else the largest. */
function nearestPart(mask: number[], region: number[], side: number): number[] {
  const part = new Int32Array(mask.length).fill(-1);
  const parts: { cells: number[]; shared: number }[] = [];
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || part[start] >= 0) continue;
    const cells = [start];
    part[start] = parts.length;
    for (let n = 0; n < cells.length; n++) {
      const [x, y] = [cells[n] % side, Math.floor(cells[n] / side)];
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          const at = (y + dy) * side + x + dx;
          if (x + dx < 0 || x + dx >= side || y + dy < 0 || y + dy >= side || !mask[at] || part[at] >= 0) continue;
          part[at] = parts.length;
          cells.push(at);
        }
      }
    }
    parts.push({ cells, shared: cells.filter((at) => region[at]).length });
  }
  if (!parts.length) return mask.map(() => 0);
  const isShared = parts.some(({ shared }) => shared);
  const best = (part: { cells: number[]; shared: number }): number => (isShared ? part.shared : part.cells.length);
  const chosen = parts.reduce((one, other) => (best(other) > best(one) ? other : one));
  const result = mask.map(() => 0);
  for (const at of chosen.cells) result[at] = 1;
  return result;
}

function addRegions(rows: Row[], answer: Answer, face: number, touch: number, card: Card, way: Way): void {
  const names = card.names.filter((name) => !OWNERS.includes(name));
  const side = answer.hand.dims[3];
  const cells = side * side;
  const net = card.size[1];
  const scores = answer.region_scores.data;
  const order = names.map((_, n) => n).sort((one, other) => scores[other] - scores[one]);
  const hand = Array.from(answer.hand.data, (value) => (value > 0.5 ? 1 : 0));
  const covered = grown(hand, side);
  const parts = Array.from({ length: cells }, (_, at) => {
    let best = 0;
    for (let layer = 1; layer <= names.length; layer++) if (answer.regions.data[layer * cells + at] > answer.regions.data[best * cells + at]) best = layer;
    return best;
  });
  for (const region of order) {
    if (region !== order[0] && scores[region] < threshold(card, names[region], 0.5)) continue;
    const own = parts.map((part) => (part === region + 1 ? 1 : 0));
    const box = boxOf(own.map((on, at) => (on ? covered[at] : 0)), side, way, net) ?? boxOf(own, side, way, net) ?? rows[face].xyxy;
    let owner = handAt(rows, box);
    if (owner < 0) {
      const seen = nearestPart(hand, own, side);
      const handBox = boxOf(seen, side, way, net);
      if (handBox) {
        const on = seen.reduce((sum, each) => sum + each, 0);
        const sure = seen.reduce((sum, each, at) => sum + each * answer.hand.data[at], 0) / on;
        owner = addHand(rows, handBox, sure);
      }
    }
    rows.push({ label: names[region], score: region === order[0] ? touch : touch * scores[region], xyxy: box, face, hand: owner });
  }
}

function handAt(rows: Row[], box: Corners): number {
  let [best, found] = [0, -1];
  rows.forEach((row, n) => {
    if (row.label !== "hand") return;
    const held = shared(box, row.xyxy) / Math.max(1e-9, area(box));
    const value = held > 0 ? held + 0.01 * iou(box, row.xyxy) : 0;
    if (value > best) [best, found] = [value, n];
  });
  return found;
}

function addHand(rows: Row[], box: Corners, score: number): number {
  let [best, found] = [ONE_HAND, -1];
  rows.forEach((row, n) => {
    if (row.label !== "hand") return;
    const share = shared(box, row.xyxy) / Math.max(1e-9, Math.min(area(box), area(row.xyxy)));
    if (share > best) [best, found] = [share, n];
  });
  if (found >= 0) {
    rows[found].score = Math.max(rows[found].score, Math.min(1, score));
    return found;
  }
  rows.push({ label: "hand", score: Math.min(1, score), xyxy: box, face: -1, hand: -1 });
  return rows.length - 1;
}

const STILL = 0.12; // of its side that a face may have moved between two looks of the detector, to be left out once

const SKIPPED = 2; // frames that the detector is left out in a row: it takes more than half of the time

/** Remembers faces and hands from one frame to the next: while faces keep still, the detector looks at every third. */
export class Memory {
  #found: Found[] | null = null;
  #size = "";
  #still = false;
  #skipped = 0;

  /** Return what was found in the last frame if it still holds, else null. */
  recall({ width, height }: Picture): Found[] | null {
    if (!this.#found || !this.#still || this.#skipped >= SKIPPED || this.#size !== `${width}x${height}`) return null;
    this.#skipped += 1;
    return this.#found;
  }

  keep(found: Found[], { width, height }: Picture): void {
    const faces = found.filter(({ label }) => label === "face");
    const before = (this.#found ?? []).filter(({ label }) => label === "face");
    const near = (one: Corners, other: Corners): boolean => {
      const side = Math.max(one[2] - one[0], one[3] - one[1]);
      return Math.max(...one.map((value, n) => Math.abs(value - other[n]))) < STILL * side;
    };
    this.#still = faces.length > 0 && faces.length === before.length && faces.every((face) => before.some((other) => near(face.xyxy, other.xyxy)));
    this.#skipped = 0;
    this.#found = found;
    this.#size = `${width}x${height}`;
  }
}

export interface Looking {
  /** Of the frames before, in a film. */
  memory?: Memory | null;
  /** From which score on the boxes are told that are hardly a hand yet. */
  faint?: number;
  /** Faces and hands that are known already: the detector is not asked. */
  found?: Found[];
}

/** Return what is seen in a picture. */
export async function see(picture: Picture, cards: Cards, run: Runs, { memory, faint, found: known }: Looking = {}): Promise<Seen> {
  let found = known ?? memory?.recall(picture) ?? null;
  let barely: Found[] | null = null;
  if (!found) {
    const way = fitted(picture, cards.facehand);
    const answer = await run.facehand(way.input, [1, 3, way.netH, way.netW]);
    found = withoutTwins(detections(answer.boxes.data, answer.scores.data, cards.facehand, way, picture));
    const hidden = cards.touch.options.faint_face;
    if (hidden && !found.some(({ label }) => label === "face")) {
      const doubtful = detections(answer.boxes.data, answer.scores.data, cards.facehand, way, picture, hidden).find(({ label }) => label === "face");
      // a hand may hide it; it is a face if it is touched
      if (doubtful) {
        const seen = await judged([...found, doubtful], picture, cards.touch, run);
        if (seen.touch >= threshold(cards.touch, "touch", 0.5)) found = [...found, doubtful];
      }
    }
    if (faint) barely = detections(answer.boxes.data, answer.scores.data, cards.facehand, way, picture, faint);
    memory?.keep(found, picture);
  }
  return { ...(await judged(found, picture, cards.touch, run)), faint: barely };
}

/** Return what is said of each face that was found. */
async function judged(found: Found[], picture: Picture, card: Card, run: Runs): Promise<Omit<Seen, "faint">> {
  const rows: Row[] = found.map((row) => ({ ...row, face: -1, hand: -1 }));
  const faces: Seen["faces"] = [];
  for (const { row, n } of largest(rows, card.options.max_faces ?? 6)) {
    const [x1, y1, x2, y2] = row.xyxy;
    const half = (Math.max(x2 - x1, y2 - y1) * (card.options.crop_scale ?? 2)) / 2;
    const [cx, cy] = [(x1 + x2) / 2, (y1 + y2) / 2];
    const { planes, way: back } = crop(picture, [cx - half, cy - half, cx + half, cy + half], card.size[0], card);
    const seen = await lookedAt(run.touch, planes, card);
    const touch = calibrated(card, seen.touch_logit.data[0] + Math.log(Math.max(1e-6, row.score)));
    faces.push([n, touch]);
    if (touch >= threshold(card, "touch", 0.5)) addRegions(rows, seen, n, touch, card, back);
  }
  return { touch: Math.max(0, ...faces.map(([, touch]) => touch)), boxes: rows, faces };
}

/** The rows of the largest and surest faces. */
function largest(rows: Row[], count: number): { row: Row; n: number }[] {
  return rows
    .map((row, n) => ({ row, n }))
    .filter(({ row }) => row.label === "face")
    .sort((one, other) => area(other.row.xyxy) * other.row.score - area(one.row.xyxy) * one.row.score)
    .slice(0, count);
}
