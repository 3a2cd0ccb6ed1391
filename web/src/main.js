// The browser edition: the page of `handlens watch` with the engine that runs in the browser.
import { App } from "../../src/handlens/live/page/app.js";
import { BrowserEngine } from "./engine.js";

const engine = new BrowserEngine();
new App(engine).start();
globalThis.handlens = engine; // engine.see(picture) for whoever wants to look at one
