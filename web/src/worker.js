// Runs the models beside the page: takes pictures, answers with what is seen.
import * as ort from "onnxruntime-web";
import { Memory, see } from "./vision.js";

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: new URL("./ort-wasm-simd-threaded.wasm", self.location.href).href };
ort.env.logLevel = "error";

let cards = null;
const run = {};
let paper = null;
const memory = new Memory(); // of the film; single pictures have none

async function load() {
  const table = await (await fetch("./models.json")).json();
  cards = table.cards;
  for (const name of ["facehand", "touch"]) {
    const session = await ort.InferenceSession.create(new URL(`./${name}.onnx`, self.location.href).href, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
    run[name] = async (input, dims) => session.run({ [session.inputNames[0]]: new ort.Tensor("float32", input, dims) });
  }
  return table;
}

async function answer({ bitmap, picture, id }) {
  let given = picture;
  if (bitmap) {
    if (!paper || paper.canvas.width !== bitmap.width || paper.canvas.height !== bitmap.height) {
      paper = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
    }
    paper.drawImage(bitmap, 0, 0);
    bitmap.close();
    given = paper.getImageData(0, 0, paper.canvas.width, paper.canvas.height);
  }
  const began = performance.now();
  const seen = await see(given, cards, run, bitmap ? memory : null);
  const ms = performance.now() - began;
  self.postMessage({ id, seen: { touch: seen.touch, boxes: seen.boxes, faces: [...seen.faces] }, width: given.width, height: given.height, ms });
}

let loading = null;
self.onmessage = async ({ data }) => {
  try {
    loading ??= load();
    const table = await loading;
    if (data.load) self.postMessage({ loaded: table });
    else await answer(data);
  } catch (error) {
    self.postMessage({ id: data.id, failed: String(error?.message ?? error) });
  }
};
