// Receipts that somebody keeps in this browser: an IndexedDB of this page's origin. What comes out of it was written by whoever can write
// there, so it is judged like any file.
//
//   database tallystick, version 1, one store `receipts`, by `key`:
//   { key, bytes, kept_at_ms, code, as_of }
//     key         the receipt's status key, 64 hex digits: one entry a receipt, whichever state it is kept in
//     bytes       its bundle
//     code, as_of of the verdict when it was last looked at: what is new since is pointed out; never a verdict

const NAME = 'tallystick';
const VERSION = 1;
const STORE = 'receipts';
export const KEPT_MAX = 500;
// A browser that does not answer at all.
const PATIENCE_MS = 10000;
const WORDS = { VersionError: 'storeNewer', QuotaExceededError: 'storeFull' };

// All of them, the last kept one first; `bytesMax`: what is larger is no receipt, and has no bytes here.
export function keptAll(bytesMax) {
  return within('readonly', (store, done) => {
    const found = [];
    store.openCursor().onsuccess = (event) => {
      const cursor = event.target.result;
      if (cursor && found.length < KEPT_MAX) {
        found.push(plain(cursor.value, bytesMax));
        cursor.continue();
      } else done(found.sort((a, b) => b.kept_at_ms - a.kept_at_ms));
    };
  });
}

// Keeps an entry, or leaves the one that is there: 'kept', 'older', or 'many'. `isBetter(bytes)`: whether the new one is to take the place of
// one with these. Asked and done in one transaction, so that of two windows none undoes what the other has done.
export function put(entry, isBetter) {
  return within('readwrite', (store, done) => {
    store.get(entry.key).onsuccess = (event) => {
      const there = event.target.result;
      if (there) {
        if (!isBetter(plain(there).bytes)) return done('older');
        store.put(Object.assign({}, entry, { kept_at_ms: plain(there).kept_at_ms }));
        return done('kept');
      }
      store.count().onsuccess = (counted) => {
        if (counted.target.result >= KEPT_MAX) return done('many');
        store.put(entry);
        return done('kept');
      };
      return undefined;
    };
  });
}

// What was last seen of one.
export function sawKept(key, { code, as_of: asOf }) {
  return within('readwrite', (store, done) => {
    store.get(key).onsuccess = (event) => {
      const there = event.target.result;
      if (there) store.put(Object.assign(there, { code, as_of: asOf }));
      done();
    };
  });
}

export function removeKept(key) {
  return within('readwrite', (store, done) => {
    store.delete(key);
    done();
  });
}

export function removeAllKept() {
  return within('readwrite', (store, done) => {
    store.clear();
    done();
  });
}

// An entry as it may be worked with, whatever stands in the store.
function plain(value, bytesMax) {
  const bytes = value.bytes instanceof Uint8Array && !(value.bytes.length > bytesMax) ? value.bytes : null;
  const keptAtMs = Number.isSafeInteger(value.kept_at_ms) ? value.kept_at_ms : 0;
  return { key: value.key, bytes, kept_at_ms: keptAtMs, code: value.code, as_of: value.as_of };
}

// A transaction: `work` begins it, and calls `done` with what it comes to. What went wrong has a `word`.
async function within(mode, work) {
  let database = null;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('late')), PATIENCE_MS);
  });
  try {
    database = await Promise.race([opened(), late]);
    return await Promise.race([ran(database, mode, work), late]);
  } catch (error) {
    const name = String(error && error.name);
    throw Object.assign(new Error(name), { word: WORDS[name] || 'storeRefused' });
  } finally {
    clearTimeout(timer);
    if (database) database.close();
  }
}

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'key' });
    request.onerror = () => reject(request.error);
    request.onsuccess = () => resolve(request.result);
  });
}

function ran(database, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode, { durability: 'strict' });
    let outcome;
    transaction.oncomplete = () => resolve(outcome);
    transaction.onabort = () => reject(transaction.error);
    work(transaction.objectStore(STORE), (what) => {
      outcome = what;
    });
  });
}
