// Keeps the picture of an alarm with the person's answer, for a training, as handlens/live/kept_alarms.py: the zip is a
// labelled set in YOLO's format that `handlens train touch --start touch --data FOLDER` reads.
import type { Corners } from "../page/engine";
import type { Row, Seen } from "./vision";
import { crc32, zip } from "./zip";

const OWNERS = ["face", "hand"];
const ROOM = 3; // the side of the kept square in sides of the face
const MOST = 50; // pictures that wait for an answer
const QUALITY = 0.95;

export interface KeptPicture {
  name: string;
  part: "train" | "val";
  jpeg: Blob;
  /** The lines of the label file. */
  label: string;
}

interface Held {
  picture: OffscreenCanvas;
  seen: Seen;
}

/** Holds the picture of each alarm until the person says whether it was right. */
export class HeldAlarms {
  #held = new Map<number, Held>();
  #names: string[];

  /** regions: as the model names them. */
  constructor(regions: string[]) {
    this.#names = [...OWNERS, ...regions, "facetouch"];
  }

  /** Hold the picture of an event that opened. */
  hold(number: number, image: ImageBitmap, seen: Seen): void {
    const picture = new OffscreenCanvas(image.width, image.height);
    picture.getContext("2d")?.drawImage(image, 0, 0);
    this.#held.set(number, { picture, seen });
    for (const oldest of this.#held.keys()) if (this.#held.size > MOST) this.#held.delete(oldest);
  }

  forget(): void {
    this.#held.clear();
  }

  /** Return what to keep of event `number` with the person's answer. */
  async judged(number: number, right: boolean): Promise<KeptPicture> {
    const held = this.#held.get(number);
    if (!held) throw new Error(`the picture of alarm ${number} is not held any more: only the last ${MOST} are.`);
    const { picture, seen } = held;
    const window = faceWindow(seen, picture.width, picture.height);
    const [x1, y1, x2, y2] = window;
    const cut = new OffscreenCanvas(x2 - x1, y2 - y1);
    cut.getContext("2d")?.drawImage(picture, -x1, -y1);
    const name = `${stamp(new Date())}-${number}-${right ? "right" : "wrong"}`;
    const part = crc32(new TextEncoder().encode(name)) % 5 === 0 ? "val" : "train";
    const jpeg = await cut.convertToBlob({ type: "image/jpeg", quality: QUALITY });
    this.#held.delete(number);
    return { name, part, jpeg, label: labelLines(seen.boxes, window, right, this.#names) };
  }

  /** Return a zip of kept pictures. */
  async zipped(pictures: KeptPicture[]): Promise<Blob> {
    const text = (words: string): Uint8Array => new TextEncoder().encode(words);
    const files: [string, Uint8Array][] = [["data.yaml", text(`train: images/train\nval: images/val\nnames: [${this.#names.join(", ")}]\n`)]];
    for (const kind of ["images", "labels"]) for (const part of ["train", "val"]) files.push([`${kind}/${part}/`, new Uint8Array()]);
    for (const { name, part, jpeg, label } of pictures) {
      files.push([`images/${part}/${name}.jpg`, new Uint8Array(await jpeg.arrayBuffer())], [`labels/${part}/${name}.txt`, text(label)]);
    }
    return zip(files);
  }
}

/** Return a square of ROOM faces around the most touched face, or all where no face is seen. */
export function faceWindow({ boxes, faces }: Pick<Seen, "boxes" | "faces">, width: number, height: number): Corners {
  if (!faces.length) return [0, 0, width, height];
  const [row] = faces.reduce((one, other) => (other[1] > one[1] ? other : one));
  const [x1, y1, x2, y2] = boxes[row].xyxy;
  const half = (ROOM * Math.max(x2 - x1, y2 - y1)) / 2;
  const [cx, cy] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const [left, top] = [Math.max(0, Math.round(cx - half)), Math.max(0, Math.round(cy - half))];
  const [right, bottom] = [Math.min(width, Math.round(cx + half)), Math.min(height, Math.round(cy + half))];
  return right - left >= 8 && bottom - top >= 8 ? [left, top, right, bottom] : [0, 0, width, height];
}

/**
 * Return the lines of YOLO for the boxes in a window: a wrong alarm has faces and hands alone, a right one the touched
 * regions as the model named them, or one box `facetouch` over the face where it named none.
 */
export function labelLines(boxes: Pick<Row, "label" | "xyxy">[], window: Corners, right: boolean, names: string[]): string {
  const last = names[names.length - 1];
  const lines: string[] = [];
  let touched = false;
  for (const { label, xyxy } of boxes) {
    const isTouch = !OWNERS.includes(label);
    if (isTouch && !right) continue;
    const line = lineOf(names.indexOf(names.includes(label) ? label : last), xyxy, window);
    if (line) {
      lines.push(line);
      touched ||= isTouch;
    }
  }
  if (right && !touched) lines.push(lineOf(names.length - 1, boxes.find(({ label }) => label === "face")?.xyxy ?? window, window));
  return lines.map((line) => line && `${line}\n`).join("");
}

function lineOf(number: number, xyxy: Corners, window: Corners): string {
  const [width, height] = [window[2] - window[0], window[3] - window[1]];
  const within = (value: number, most: number): number => Math.min(most, Math.max(0, value));
  const [x1, x2] = [xyxy[0], xyxy[2]].map((value) => within(value - window[0], width));
  const [y1, y2] = [xyxy[1], xyxy[3]].map((value) => within(value - window[1], height));
  if (x2 - x1 < 2 || y2 - y1 < 2) return "";
  return [number, ...[(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height].map((share) => share.toFixed(6))].join(" ");
}

/** Return the local time as 20260131-235959. */
function stamp(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join("");
  return `${day}-${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join("")}`;
}
