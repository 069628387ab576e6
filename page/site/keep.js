// Keeping the receipt that is shown, and what a refresh of it brings. Whether it takes the place of one that is kept already is judged, not read
// from the store.

import { faultOfVerdict } from './judge.js';
import { state } from './state.js';
import { put } from './store.js';
import { questionOf, renew, verdictOf } from './verifier.js';
import { word } from './words.js';

const WORDS = { kept: 'keepDone', older: 'keepOlder', many: 'keepMany', gone: 'keepGone' };
// By a clock that is behind, the later of two states is of the future. Which is later no clock decides: both are compared as of a time after both.
const LATE_MS = Date.UTC(2099, 0);

// The receipt that is shown, while it is kept: { asked, bytes }.
let followed = null;
let keeping = null;

// What became of it is said beside the control.
export async function keep() {
  const { asked, question, verdict } = state;
  if (!verdict || !verdict.receipt) return;
  const name = await keepNow(question);
  if (asked !== state.asked) return;
  say(name);
  if (name === 'keepDone' || name === 'keepOlder') follow(asked, question.bytes);
  keepDrawn();
  // It may refuse, and lose the receipts when it needs room: the list says so.
  if (navigator.storage && navigator.storage.persist) navigator.storage.persist().catch(() => false);
}

// From now on a refresh of what was asked for with this number is kept.
export function follow(asked, bytes) {
  followed = { asked, bytes };
}

// From now on nothing is kept of which nobody says so.
export function forget() {
  followed = null;
}

// Called whenever the page has shown something: what a refresh brought of a receipt that is kept is kept, too.
export function keepDrawn() {
  const { asked, question, verdict } = state;
  if (!followed || !verdict) return;
  if (followed.asked !== asked) forget();
  else if (followed.bytes !== question.bytes) {
    followed.bytes = question.bytes;
    keeping = keepNow(question, true).then((name) => asked === state.asked && say(name));
  }
}

// Resolves when what is being kept is.
export function settled() {
  return keeping;
}

function say(name) {
  const said = document.querySelector('#extra [role]');
  if (!said) return;
  said.textContent = word(state.language, name);
  said.scrollIntoView({ block: 'nearest' });
}

// The word for what became of it. `isKnown`: only if it is there still, so that what was removed does not come back.
export async function keepNow(question, isKnown) {
  const name = await attempt(question, isKnown);
  if (name !== 'keepTrapped') return name;
  // Once more, with a verifier that has not stopped in the middle of something.
  await renew(question.verifier);
  const again = await attempt(question, isKnown);
  if (again === 'keepTrapped') await renew(question.verifier);
  return again;
}

async function attempt({ verifier, bytes }, isKnown) {
  let trapped = false;
  try {
    const verdict = verdictOfAnyAge(verifier, bytes);
    const { status_key: key } = questionOf(verifier, bytes);
    if (!key || !verdict.receipt) return 'keepUnfit';
    const isBetter = (there) => {
      try {
        if (!there) return true;
        return !faultOfVerdict(verdictOfAnyAge(verifier, bytes, LATE_MS), verdictOfAnyAge(verifier, there, LATE_MS));
      } catch (error) {
        trapped = true;
        return false;
      }
    };
    const entry = Object.assign({ key, bytes, kept_at_ms: Date.now() }, seenOf(verdict));
    const outcome = await put(entry, isBetter, isKnown);
    return trapped ? 'keepTrapped' : WORDS[outcome];
  } catch (error) {
    return error.word || 'keepTrapped';
  }
}

// The verdict whatever age of a state the reader takes: that one grows older is no news of it.
export function verdictOfAnyAge(verifier, bytes, atMs) {
  return verdictOf(verifier, { at_ms: atMs || Date.now(), clock: true }, bytes);
}

// What the store remembers of a verdict, so that a change can be pointed out.
export function seenOf({ conclusion, as_of: asOf }) {
  return { code: conclusion.code, as_of: asOf ? asOf.seconds : 0 };
}
