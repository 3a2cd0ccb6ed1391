// What the page and the worker with the models say to each other.
import type { Points } from "../page/engine";
import type { Calibration, Own, Rules } from "./calibration";
import type { Cards, Found, Picture, Seen } from "./vision";

/** models.json, as models.py writes it. */
export interface Table {
  handlens: string;
  cards: Cards;
  points: Points | null;
  calibration: Rules;
}

export interface Asked {
  id: number;
  do: "load" | "look" | "personal";
  /** To look at: a frame of the film, or a picture for itself. */
  bitmap?: ImageBitmap;
  picture?: Picture;
  /** Faces and hands of the picture that are known already. */
  found?: Found[];
  /** Of the frame, in seconds. */
  time?: number;
  /** Faint boxes are wanted, from this score on. */
  faint?: number;
  /** The models may sleep while nobody is there. */
  rests?: boolean;
  calibration?: Calibration | null;
}

/** What was seen in a frame or a picture. */
export interface Looked {
  seen: Seen;
  /** What the model itself said of the largest face. */
  own: Own | null;
  width: number;
  height: number;
  ms: number;
  /** The models slept. */
  slept: boolean;
}

export interface Replied {
  id: number;
  answer?: Table | Looked | null;
  failed?: string;
}
