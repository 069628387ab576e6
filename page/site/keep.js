// Keeping the receipt that is shown. Whether it takes the place of one that is kept already is judged, not read from the store.

import { faultOfVerdict, options } from './judge.js';
import { state } from './state.js';
import { put } from './store.js';
import { questionOf, renew, verdictOf } from './verifier.js';
import { word } from './words.js';

const WORDS = { kept: 'keepDone', older: 'keepOlder', many: 'keepMany' };

// What became of it is said beside the control.
export async function keep(control) {
  const said = control.parentNode.querySelector('[role]');
  const name = await keepNow(state.question, state.verdict);
  said.textContent = word(state.language, name);
  // It may refuse, and lose the receipts when it needs room: the list says so.
  if (navigator.storage && navigator.storage.persist) navigator.storage.persist().catch(() => false);
}

// The word for what became of it.
export async function keepNow({ verifier, bytes }, verdict) {
  let trapped = false;
  try {
    const { status_key: key } = questionOf(verifier, bytes);
    if (!key) return 'keepUnfit';
    const { conclusion, as_of: asOf } = verdict;
    const entry = { key, bytes, kept_at_ms: Date.now(), code: conclusion.code, as_of: asOf ? asOf.seconds : 0 };
    const isBetter = (there) => {
      try {
        return trapped || !there || !faultOfVerdict(verdict, verdictOf(verifier, options(), there));
      } catch (error) {
        trapped = true;
        return true;
      }
    };
    return WORDS[await put(entry, isBetter)];
  } catch (error) {
    return error.word || 'keepUnfit';
  } finally {
    if (trapped) await renew(verifier);
  }
}
