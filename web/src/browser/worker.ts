// Runs the models beside the page: takes pictures, answers with what is seen.
import * as ort from "onnxruntime-web";
import { Personal } from "./calibration";
import type { Asked, Looked, Replied, Table } from "./messages";
import { Resting } from "./resting";
import { Memory, see } from "./vision";
import type { Answer, Picture, Run } from "./vision";

declare const self: DedicatedWorkerGlobalScope;

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: new URL("./ort-wasm-simd-threaded.wasm", self.location.href).href };
ort.env.logLevel = "error";

interface Loaded {
  table: Table;
  facehand: Run;
  personal: Personal;
}

let loading: Promise<Loaded> | null = null;
let paper: OffscreenCanvasRenderingContext2D | null = null;
const memory = new Memory(); // of the film; single pictures have none
const resting = new Resting();

async function load(): Promise<Loaded> {
  const table = (await (await fetch("./models.json")).json()) as Table;
  const [facehand, touch] = [await opened("facehand"), await opened("touch")];
  return { table, facehand, personal: new Personal(touch, table.cards.touch, table.calibration) };
}

async function opened(name: string): Promise<Run> {
  const file = new URL(`./${name}.onnx`, self.location.href).href;
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  return async (input, dims) => (await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", input, dims) })) as unknown as Answer;
}

function pixelsOf(bitmap: ImageBitmap): Picture {
  if (!paper || paper.canvas.width !== bitmap.width || paper.canvas.height !== bitmap.height) {
    paper = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D;
  }
  paper.drawImage(bitmap, 0, 0);
  bitmap.close();
  return paper.getImageData(0, 0, paper.canvas.width, paper.canvas.height);
}

async function look({ table, facehand, personal }: Loaded, { bitmap, picture, found, time = 0, faint, rests }: Asked): Promise<Looked> {
  const given = bitmap ? pixelsOf(bitmap) : (picture as Picture);
  const { width, height } = given;
  const began = performance.now();
  if (!rests) resting.wake();
  const known = bitmap && rests ? resting.recall(given, time) : null;
  if (known) return { seen: known, own: null, width, height, ms: performance.now() - began, slept: true };
  personal.taken();
  const seen = await see(given, table.cards, { facehand, touch: personal.run }, { memory: bitmap ? memory : null, faint, found });
  if (bitmap && rests) resting.keep(given, time, seen);
  return { seen, own: personal.taken(), width, height, ms: performance.now() - began, slept: false };
}

async function answered(asked: Asked): Promise<Replied["answer"]> {
  loading ??= load();
  const loaded = await loading;
  if (asked.do === "load") return loaded.table;
  if (asked.do === "look") return look(loaded, asked);
  loaded.personal.calibration = asked.calibration ?? null;
  return null;
}

self.onmessage = async ({ data }: MessageEvent<Asked>): Promise<void> => {
  const reply: Replied = { id: data.id };
  try {
    reply.answer = await answered(data);
  } catch (error) {
    reply.failed = error instanceof Error ? error.message : String(error);
  }
  self.postMessage(reply);
};
