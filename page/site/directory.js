// The directory of units, by which codes are judged: the page's own, and the one that its portal serves, which may be newer. Who serves it is
// not believed: the verifier opens it by the trust file, and of two that hold the later one counts.

import { canAsk } from './refresh.js';
import { blockBytes, blockOf } from './verifier.js';

const ADDRESS = 'units.bin';
// A page may stay open for days.
const KEPT_MS = 3600000;
// Nobody waits longer for a newer one.
const WAIT_MS = 3000;

let own = null;
let served = null;
let askedAtMs = 0;

// Those at hand, as bytes: none, one or two.
export async function directories() {
  const block = await blockOf('units');
  if (block && !own) {
    own = await blockBytes(block).then(
      (bytes) => new Uint8Array(bytes),
      () => null,
    );
  }
  // Asked once in that time, whatever came of it: nobody waits twice for a portal that has none or does not answer.
  if (canAsk() && Date.now() - askedAtMs > KEPT_MS) {
    askedAtMs = Date.now();
    await Promise.race([ask(), new Promise((resolve) => setTimeout(resolve, WAIT_MS))]);
  }
  return [own, served].filter(Boolean);
}

// What of the page holds or names its own; null if it has none.
export function ownBlock() {
  return document.getElementById('units');
}

async function ask() {
  try {
    const response = await fetch(ADDRESS, { credentials: 'omit', cache: 'no-cache' });
    if (response.ok) served = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    // Without a network the page's own is what there is, until there is one.
    askedAtMs = 0;
  }
}
