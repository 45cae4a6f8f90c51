/** Tunings kept by the browser, in IndexedDB. Where there is none (private windows, other hosts) it says so, and nothing is kept. */
import { isExpired, type TuningEntry } from "./tuning-entry";

const DATABASE = "ridgepoint-tuning";
const STORE = "entries";

interface Stored {
  readonly id: string;
  readonly device: string;
  readonly entry: TuningEntry;
}

export interface TuningStore {
  /** Why nothing is kept, in words; null where things are. */
  readonly fault: string | null;
  /** What was decided on a device for a class of dispatches, by candidates of that code, not too long ago. */
  get(device: string, key: string, candidates: string): Promise<TuningEntry | null>;
  /** Keeps entries, each in place of an older one of its device and class. */
  put(device: string, entries: readonly TuningEntry[]): Promise<void>;
  /** All of a device that are not too old. */
  all(device: string): Promise<readonly TuningEntry[]>;
  /** Forgets what is kept of a device. */
  clear(device: string): Promise<void>;
  close(): void;
}

const idOf = (device: string, key: string): string => `${device} ${key}`;

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB gave no reason"));
  });

function openDatabase(factory: IDBFactory): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(STORE, { keyPath: "id" }).createIndex("device", "device");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB gave no reason"));
    request.onblocked = () => reject(new Error("another page holds an older version of it open"));
  });
}

const nothing = (fault: string): TuningStore => ({
  fault,
  get: async () => null,
  put: async () => {},
  all: async () => [],
  clear: async () => {},
  close: () => {},
});

/**
 * Opens the store; where that cannot be, one that keeps nothing and tells why.
 * @param factory default: the page's
 * @param now Unix time in ms
 */
export async function openTuningStore(
  factory: IDBFactory | undefined = globalThis.indexedDB,
  now: () => number = Date.now,
): Promise<TuningStore> {
  if (!factory) return nothing("this page has no IndexedDB");
  let database: IDBDatabase;
  try {
    database = await openDatabase(factory);
  } catch (cause) {
    return nothing(`IndexedDB does not open: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const read = () => database.transaction(STORE, "readonly").objectStore(STORE);
  const write = async (work: (store: IDBObjectStore) => Promise<unknown>): Promise<void> => {
    const transaction = database.transaction(STORE, "readwrite");
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB gave up a write"));
    });
    await work(transaction.objectStore(STORE));
    await done;
  };
  const ofDevice = async (device: string) => (await settled(read().index("device").getAll(device))) as Stored[];
  return {
    fault: null,
    async get(device, key, candidates) {
      const stored = (await settled(read().get(idOf(device, key)))) as Stored | undefined;
      if (!stored || stored.entry.candidates !== candidates || isExpired(stored.entry, now())) return null;
      return stored.entry;
    },
    put: (device, entries) =>
      write((store) => Promise.all(entries.map((entry) => settled(store.put({ id: idOf(device, entry.key), device, entry }))))),
    async all(device) {
      return (await ofDevice(device)).map(({ entry }) => entry).filter((entry) => !isExpired(entry, now()));
    },
    clear: (device) =>
      write(async (store) => {
        const keys = await settled(store.index("device").getAllKeys(device));
        await Promise.all(keys.map((key) => settled(store.delete(key))));
      }),
    close: () => database.close(),
  };
}
