// What this browser keeps: touches and observed time, and where the person asked for it judged pictures, in IndexedDB.
import type { History, Touch } from "../page/engine";
import type { KeptPicture } from "./alarms";

const NAME = "handlens";
const VERSION = 2;
const STORES = ["touches", "spans", "pictures"];

function opened(): Promise<IDBDatabase> {
  return new Promise((done, fail) => {
    const asked = indexedDB.open(NAME, VERSION);
    asked.onupgradeneeded = () => {
      const there = asked.result.objectStoreNames;
      for (const name of ["touches", "spans"]) if (!there.contains(name)) asked.result.createObjectStore(name, { keyPath: "start" });
      if (!there.contains("pictures")) asked.result.createObjectStore("pictures", { keyPath: "name" });
    };
    asked.onsuccess = () => {
      asked.result.onversionchange = () => asked.result.close(); // a newer page of this site wants it
      done(asked.result);
    };
    asked.onblocked = () => fail(new Error("close the other pages of handlens, and load this one again."));
    asked.onerror = () => fail(new Error("this browser keeps no history here: is it a private window?"));
  });
}

type Results<Asked extends readonly IDBRequest[]> = { [n in keyof Asked]: Asked[n]["result"] };

/** Do work in one transaction and return the results of what it asked. */
async function within<const Asked extends readonly IDBRequest[]>(mode: IDBTransactionMode, work: (change: IDBTransaction) => Asked): Promise<Results<Asked>> {
  const base = await opened();
  try {
    const change = base.transaction(STORES, mode);
    const asked = work(change);
    await new Promise<void>((done, fail) => {
      change.oncomplete = () => done();
      change.onabort = change.onerror = () => fail(new Error("the history could not be written: is the disk full?"));
    });
    return asked.map((each) => each.result) as Results<Asked>;
  } finally {
    base.close();
  }
}

/** Keep a touch. */
export const keepTouch = (touch: Touch): Promise<unknown> => within("readwrite", (change) => [change.objectStore("touches").put(touch)]);

/** Keep a stretch of observed time; one with the same start is replaced. */
export const keepSpan = (start: number, seconds: number): Promise<unknown> => within("readwrite", (change) => [change.objectStore("spans").put({ start, seconds })]);

/** Keep a judged picture; one with the same name is replaced. */
export const keepPicture = (picture: KeptPicture): Promise<unknown> => within("readwrite", (change) => [change.objectStore("pictures").put(picture)]);

/** Return the history from a moment on. */
export async function since(moment: number): Promise<History> {
  const [touches, spans] = await within("readonly", (change) => [
    change.objectStore("touches").getAll(IDBKeyRange.lowerBound(moment)) as IDBRequest<Touch[]>,
    change.objectStore("spans").getAll(IDBKeyRange.lowerBound(moment)) as IDBRequest<{ start: number; seconds: number }[]>,
  ]);
  return { touches: [...touches], spans: spans.map(({ start, seconds }) => [start, seconds]) };
}

/** Delete what began before a moment. */
export const deleteBefore = (moment: number): Promise<unknown> =>
  within("readwrite", (change) => ["touches", "spans"].map((name) => change.objectStore(name).delete(IDBKeyRange.upperBound(moment, true))));

export async function countPictures(): Promise<number> {
  const [count] = await within("readonly", (change) => [change.objectStore("pictures").count()]);
  return count;
}

export async function pictures(): Promise<KeptPicture[]> {
  const [found] = await within("readonly", (change) => [change.objectStore("pictures").getAll() as IDBRequest<KeptPicture[]>]);
  return found;
}

export const deletePictures = (): Promise<unknown> => within("readwrite", (change) => [change.objectStore("pictures").clear()]);

/** Delete the history and the pictures. */
export const deleteAll = (): Promise<unknown> => within("readwrite", (change) => STORES.map((name) => change.objectStore(name).clear()));

// the columns of handlens.live.history.FIELDS
const FIELDS = ["start", "stop", "seconds", "region", "side", "probability", "source", "model", "regions"];

/** Return a moment as Python's isoformat does: the time of this place with its distance from UTC. */
function iso(moment: number): string {
  const date = new Date(moment * 1000);
  const east = -date.getTimezoneOffset();
  const [away, two] = [Math.abs(east), (value: number): string => String(value).padStart(2, "0")];
  const local = new Date(date.getTime() + east * 60_000).toISOString().slice(0, -1);
  return `${local}${east < 0 ? "-" : "+"}${two(Math.floor(away / 60))}:${two(away % 60)}`;
}

/** Return all touches as CSV, as `handlens stats --csv` writes it; side, probability, source and model are not kept here. */
export async function csv(): Promise<string> {
  const { touches } = await since(0);
  const lines = touches.map(({ start, stop, region, regions }) => {
    const parts = Object.entries(regions ?? {}).map(([name, seconds]) => `${name}:${seconds.toFixed(3)}`);
    return [iso(start), iso(stop), (stop - start).toFixed(3), region, "", "", "", "", parts.join(";")].join(",");
  });
  return [FIELDS.join(","), ...lines].join("\n") + "\n";
}
