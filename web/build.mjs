// Bundles the browser edition into dist/; models.py has put the models there before.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";

const page = "../src/handlens/live/page";
const runtime = "node_modules/onnxruntime-web/dist";
const shared = { bundle: true, format: "esm", target: "es2022", minify: true, legalComments: "none", logLevel: "warning" };

await build({ ...shared, entryPoints: ["src/main.js"], outfile: "dist/main.js" });
await build({
  ...shared,
  entryPoints: ["src/worker.js"],
  outfile: "dist/worker.js",
  alias: { "onnxruntime-web": `./${runtime}/ort.wasm.bundle.min.mjs` },
});
for (const name of ["style.css", "icon.svg"]) copyFileSync(`${page}/${name}`, `dist/${name}`);
copyFileSync("LICENSES.txt", "dist/LICENSES.txt");
copyFileSync("src/manifest.webmanifest", "dist/manifest.webmanifest");
copyFileSync(`${runtime}/ort-wasm-simd-threaded.wasm`, "dist/ort-wasm-simd-threaded.wasm");

// Nothing but the own files may be asked for, and only WebAssembly may be compiled.
const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self' blob: data:;" +
  " connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'";
const head = `<meta http-equiv="Content-Security-Policy" content="${policy}" />\n    <link rel="manifest" href="./manifest.webmanifest" />`;
writeFileSync("dist/index.html", readFileSync(`${page}/index.html`, "utf8").replace('<meta charset="utf-8" />', `<meta charset="utf-8" />\n    ${head}`));

// The service worker keeps exactly these files, under a name that changes with them.
const names = readdirSync("dist").filter((name) => name !== "sw.js").sort();
const digest = createHash("sha256");
for (const name of names) digest.update(name).update(readFileSync(`dist/${name}`));
const worker = readFileSync("src/sw.js", "utf8").replace("__FILES__", JSON.stringify(names)).replace("__VERSION__", digest.digest("hex").slice(0, 12));
writeFileSync("dist/sw.js", worker);
