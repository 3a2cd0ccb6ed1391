// `handlens watch`: the page with the engine that runs on this machine.
import { App } from "./app.js";
import { LocalEngine } from "./engine-local.js";

new App(new LocalEngine()).start();
