// The history in this browser: touches and observed time in IndexedDB. No picture, no network.

const NAME = "handlens";

/** @returns {Promise<IDBDatabase>} */
function opened() {
  return new Promise((done, fail) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("touches", { keyPath: "start" });
      asked.result.createObjectStore("spans", { keyPath: "start" });
    };
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(new Error("this browser keeps no history here: is it a private window?"));
  });
}

async function within(mode, work) {
  const base = await opened();
  try {
    const change = base.transaction(["touches", "spans"], mode);
    const asked = work(change);
    await new Promise((done, fail) => {
      change.oncomplete = done;
      change.onabort = change.onerror = () => fail(new Error("the history could not be written: is the disk full?"));
    });
    return asked?.map((each) => each.result);
  } finally {
    base.close();
  }
}

/** Keep a touch {start, stop, region, regions}; times in seconds since 1970. */
export const keepTouch = (touch) => within("readwrite", (change) => void change.objectStore("touches").put(touch));

/** Keep a stretch of observed time; one with the same start is replaced. */
export const keepSpan = (start, seconds) => within("readwrite", (change) => void change.objectStore("spans").put({ start, seconds }));

/** Return {touches, spans} from a moment on. */
export async function since(moment) {
  const [touches, spans] = await within("readonly", (change) => [
    change.objectStore("touches").getAll(IDBKeyRange.lowerBound(moment)),
    change.objectStore("spans").getAll(IDBKeyRange.lowerBound(moment)),
  ]);
  return { touches, spans: spans.map(({ start, seconds }) => [start, seconds]) };
}

export const deleteAll = () =>
  within("readwrite", (change) => {
    change.objectStore("touches").clear();
    change.objectStore("spans").clear();
  });

/** Return all touches as CSV. */
export async function csv() {
  const { touches } = await since(0);
  const iso = (moment) => new Date(moment * 1000).toISOString();
  const lines = touches.map((touch) => [iso(touch.start), iso(touch.stop), (touch.stop - touch.start).toFixed(3), touch.region].join(","));
  return ["start,stop,seconds,region", ...lines].join("\r\n") + "\r\n";
}
