// The browser edition: the page of `handlens watch` with the engine that runs in the browser.
import { App } from "../page/app";
import { BrowserEngine } from "./engine";

const engine = new BrowserEngine();
new App(engine).start();
Object.assign(globalThis, { handlens: engine }); // engine.see(picture) for whoever wants to look at one

export * as alarms from "./alarms"; // for the tests that compare them with handlens.live
export * as approach from "./approach";
export * as calibration from "./calibration";
