// Bundles the page of `handlens watch` ("page FILE"), or the browser edition into dist/ ("site"); models.py has put the models there before.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";

const page = "../src/handlens/live/page";
const runtime = "node_modules/onnxruntime-web/dist";
const shared = { bundle: true, format: "esm", target: "es2022", charset: "utf8", legalComments: "none", logLevel: "warning" };

const bundled = {
  page: (file) => bundlePage(file ?? `${page}/main.js`),
  site: buildSite,
};

/** The page of the package: readable, as it is committed. */
async function bundlePage(outfile) {
  const js = "// Made from web/src by 'make page'; change it there.";
  await build({ ...shared, entryPoints: ["src/local/main.ts"], outfile, banner: { js } });
}

async function buildSite() {
  const small = { ...shared, minify: true };
  await build({ ...small, entryPoints: ["src/browser/main.ts"], outfile: "dist/main.js" });
  const alias = { "onnxruntime-web": `./${runtime}/ort.wasm.bundle.min.mjs` };
  await build({ ...small, entryPoints: ["src/browser/worker.ts"], outfile: "dist/worker.js", alias });
  for (const name of ["style.css", "icon.svg"]) copyFileSync(`${page}/${name}`, `dist/${name}`);
  copyFileSync("LICENSES.txt", "dist/LICENSES.txt");
  copyFileSync("src/browser/manifest.webmanifest", "dist/manifest.webmanifest");
  copyFileSync(`${runtime}/ort-wasm-simd-threaded.wasm`, "dist/ort-wasm-simd-threaded.wasm");
  writeFileSync("dist/index.html", withPolicy(readFileSync(`${page}/index.html`, "utf8")));
  // the service worker keeps exactly these files, under a name that changes with them
  const names = readdirSync("dist").filter((name) => name !== "sw.js").sort();
  const digest = createHash("sha256");
  for (const name of names) digest.update(name).update(readFileSync(`dist/${name}`));
  const define = { HANDLENS_FILES: JSON.stringify(names), HANDLENS_VERSION: JSON.stringify(digest.digest("hex").slice(0, 12)) };
  await build({ ...small, entryPoints: ["src/browser/sw.ts"], outfile: "dist/sw.js", define });
}

/** Nothing but the own files may be asked for, and only WebAssembly may be compiled. */
function withPolicy(html) {
  const policy =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self' blob: data:;" +
    " connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'";
  const head = `<meta http-equiv="Content-Security-Policy" content="${policy}" />\n    <link rel="manifest" href="./manifest.webmanifest" />`;
  return html.replace('<meta charset="utf-8" />', `<meta charset="utf-8" />\n    ${head}`);
}

const [what, file] = process.argv.slice(2);
if (!(what in bundled)) throw new Error("type: node build.mjs page [FILE], or: node build.mjs site");
await bundled[what](file);
