// From what somebody chose to what is said of it. A file goes by its first bytes to whoever opens its kind; every one of them ends in
// `judgeBundle`, `judgeCode`, or `say`.

import { stopCamera } from './camera.js';
import { kindOf } from './kinds.js';
import { openDocument } from './open.js';
import { codeOfPicture } from './picture.js';
import { readStart } from './read.js';
import { refreshed } from './refresh.js';
import { renderNote, renderResult, say, showVerdict } from './result.js';
import { state } from './state.js';
import { ask } from './typed.js';
import { fileBytesMax, renew, shown, verdictOf } from './verifier.js';
import { word } from './words.js';

// What a newer state may come to, to take the place of an older one.
const PROVED = ['in_force', 'too_old', 'reversed'];

// A file that somebody chose or dropped. Of whatever size it is, no more is read here than a bundle may have.
export async function judgeFile(file) {
  const asked = begin();
  const verifier = await state.ready;
  if (!verifier) return;
  let bytes;
  try {
    bytes = await readStart(file, fileBytesMax(verifier));
  } catch (error) {
    if (asked === state.asked) say('unread', { why: shown(verifier, String(error && error.name)) });
    return;
  }
  if (asked !== state.asked) return;
  const kind = kindOf(bytes);
  if (kind === 'pdf' || kind === 'zip') await judgeDocument(verifier, asked, file);
  else if (kind === 'picture') await judgePicture(asked, file, bytes);
  else await answer(verifier, file.name, bytes);
}

// A PDF or an OFD: the bundle that is attached to it.
async function judgeDocument(verifier, asked, file) {
  const found = await openDocument(file).catch((error) => wordOf(error, 'documentUnread'));
  if (asked !== state.asked) return;
  if (found.bundle) await answer(verifier, file.name, found.bundle, true);
  else say(found.word);
}

// A picture: the code in it. `start`: its first bytes.
async function judgePicture(asked, file, start) {
  const code = await codeOfPicture(file, start).catch((error) => wordOf(error, 'pictureNotOpened'));
  if (asked !== state.asked) return;
  if (code.text) await judgeCode(code.text);
  else say(code.word, code.values);
}

// What went wrong, in the word that it brings along; without one, in another.
function wordOf(error, other) {
  return { word: (error && error.word) || other };
}

// A bundle: the bytes of a `.tally`, and the name under which it came.
export async function judgeBundle(name, bytes) {
  const asked = begin();
  const verifier = await state.ready;
  if (verifier && asked === state.asked) await answer(verifier, name, bytes);
}

// The same thing once more, because of other options; whoever chose them stays where he is.
export function judgeAgain() {
  const { question } = state;
  if (!question) return;
  const focused = document.activeElement;
  answer(question.verifier, question.name, question.bytes, question.attached);
  focused.focus();
}

// The receipt that is shown, with what the ledger says of it now: asked of whoever serves this page, and judged here.
export async function judgeNow() {
  const { question, asked } = state;
  if (!question) return;
  const { verifier, name, bytes, attached } = question;
  let isAhead = false;
  const proves = (newer) => {
    const { result, code } = verdictOf(verifier, options(), newer).conclusion;
    isAhead = isAhead || code === 'FROM_THE_FUTURE';
    return PROVED.includes(result);
  };
  renderNote('refreshing');
  let newer;
  try {
    newer = await refreshed(verifier, bytes, proves);
  } catch (error) {
    await renew(verifier);
    newer = { why: 'refreshFalse' };
  }
  // Another file may have been chosen since.
  if (asked !== state.asked) return;
  // By a clock that is behind, no answer holds: that is no node's fault.
  if (newer.why) renderNote(newer.why === 'refreshFalse' && isAhead ? 'refreshClock' : newer.why);
  else await answer(verifier, name, newer.bytes, attached, 'refreshed');
}

// The text of a code on paper.
export async function judgeCode() {
  const asked = begin();
  const verifier = await state.ready;
  if (verifier && asked === state.asked) say('codeNotRead');
}

// The five entries that somebody typed.
export async function judgeTyped() {
  const asked = begin();
  const waits = (seconds) => asked === state.asked && say('typedWaits', { seconds });
  const { bundle, name, values } = await ask(waits);
  if (asked !== state.asked) return;
  if (bundle) await judgeBundle(word(state.language, 'typedName'), bundle);
  else say(name, values);
}

// Why there is no verdict at all.
export function sayProblem(problem, atMs) {
  if (problem === 'TIME') say('clockBad', { time: new Date(atMs).toISOString() });
  else say(problem === 'TRUST' ? 'trustBad' : 'trapped');
}

// Says that something is under way; which of all things it is.
function begin() {
  stopCamera();
  Object.assign(state, { verdict: null, question: null, message: { name: 'judging' }, field: 'total_amount' });
  renderResult();
  state.asked += 1;
  return state.asked;
}

function options() {
  const asked = { at_ms: Date.now(), clock: true };
  if (state.ageSecondsMax !== null) asked.age_seconds_max = state.ageSecondsMax;
  return asked;
}

// `attached`: whether the bytes come out of a document that draws a receipt, too. `note`: what became of a refresh.
async function answer(verifier, name, bytes, attached, note) {
  const asked = options();
  try {
    const verdict = verdictOf(verifier, asked, bytes);
    if (verdict.problem) sayProblem(verdict.problem, asked.at_ms);
    else showVerdict({ verifier, name: shown(verifier, name), bytes, options: asked, attached }, verdict, note);
  } catch (error) {
    await renew(verifier);
    say('trapped');
  }
}
