// `handlens watch`: the page with the engine that runs on this machine.
import { App } from "../page/app";
import { LocalEngine } from "./engine";

new App(new LocalEngine()).start();

export * as stats from "../page/stats"; // for the test that compares it with handlens.live.spans
