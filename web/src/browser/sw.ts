// Keeps the files of this version, so that the page works without a network, and asks for nothing else.

declare const HANDLENS_FILES: string[]; // build.mjs puts both in
declare const HANDLENS_VERSION: string;

const here = self as unknown as ServiceWorkerGlobalScope;
const CACHE = `handlens-${HANDLENS_VERSION}`;

async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll(["./", ...HANDLENS_FILES.map((name) => `./${name}`)]);
  await here.skipWaiting();
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) if (name.startsWith("handlens-") && name !== CACHE) await caches.delete(name);
  await here.clients.claim();
}

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}

here.addEventListener("install", (event) => event.waitUntil(install()));
here.addEventListener("activate", (event) => event.waitUntil(activate()));
here.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && new URL(url).origin === here.location.origin) event.respondWith(answer(event.request));
});
