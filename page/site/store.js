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
const WORDS = { VersionError: 'storeNewer', TimeoutError: 'storeLate' };
// Where nothing was to be written, nothing can have been.
const LATE = { storeUnread: 'storeUnreadLate' };

// All of them, the last kept one first; `bytesMax`: what is larger is no receipt, and has no bytes here.
export function keptAll(bytesMax) {
  return within('readonly', 'storeUnread', (store, done) => {
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

// One of them, or null.
export function keptOne(key, bytesMax) {
  return within('readonly', 'storeUnread', (store, done) => {
    store.get(key).onsuccess = (event) => done(event.target.result ? plain(event.target.result, bytesMax) : null);
  });
}

// Keeps an entry, or leaves the one that is there: 'kept', 'older', 'many', or 'gone'. `isBetter(bytes)`: whether the new one is to take the
// place of one with these; `isKnown`: it takes such a place or none, so that what was removed meanwhile does not come back. Asked and done in one transaction, so that of two windows none undoes what the other has done.
export function put(entry, isBetter, isKnown) {
  return within('readwrite', 'storeRefused', (store, done) => {
    store.get(entry.key).onsuccess = (event) => {
      const there = event.target.result;
      if (there) {
        if (!isBetter(plain(there).bytes)) return done('older');
        store.put(Object.assign({}, entry, { kept_at_ms: plain(there).kept_at_ms }));
        return done('kept');
      }
      if (isKnown) return done('gone');
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
  return within('readwrite', 'storeRefused', (store, done) => {
    store.get(key).onsuccess = (event) => {
      const there = event.target.result;
      if (there) store.put(Object.assign(there, { code, as_of: asOf }));
      done();
    };
  });
}

export function removeKept(key) {
  return within('readwrite', 'storeNotRemoved', (store, done) => {
    store.delete(key);
    done();
  });
}

export function removeAllKept() {
  return within('readwrite', 'storeNotRemoved', (store, done) => {
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

// A transaction: `work` begins it, and calls `done` with what it comes to. What went wrong has a `word`, `refusal` if the browser does not say
// what. What takes too long is given up.
async function within(mode, refusal, work) {
  const own = { isLate: false, database: null, transaction: null };
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      own.isLate = true;
      abort(own.transaction);
      reject(new DOMException('late', 'TimeoutError'));
    }, PATIENCE_MS);
  });
  try {
    const outcome = opened().then((database) => {
      own.database = database;
      return own.isLate ? database.close() : ran(own, mode, work);
    });
    return await Promise.race([outcome, late]);
  } catch (error) {
    const name = String(error && error.name);
    const isFull = name === 'QuotaExceededError' && refusal === 'storeRefused';
    throw Object.assign(new Error(name), { word: isFull ? 'storeFull' : (name === 'TimeoutError' && LATE[refusal]) || WORDS[name] || refusal });
  } finally {
    clearTimeout(timer);
    if (own.database) own.database.close();
  }
}

// Of one that is over, nothing more can be given up.
function abort(transaction) {
  try {
    if (transaction) transaction.abort();
  } catch (error) {
    // It came to its end meanwhile.
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

function ran(own, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = own.database.transaction(STORE, mode, { durability: 'strict' });
    own.transaction = transaction;
    let outcome;
    transaction.oncomplete = () => resolve(outcome);
    transaction.onabort = () => reject(transaction.error);
    work(transaction.objectStore(STORE), (what) => {
      outcome = what;
    });
  });
}
