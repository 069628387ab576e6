// From what somebody chose to what is said of it. A file goes by its first bytes to whoever opens its kind; every one of them ends in
// `judgeBundle`, `judgeByUnits`, or `say`.

import { hosts } from './address.js';
import { stopCamera } from './camera.js';
import { directories, ownBlock } from './directory.js';
import { kindOf } from './kinds.js';
import { openDocument } from './open.js';
import { extras, loadParts } from './parts.js';
import { codeOfPicture } from './picture.js';
import { readStart } from './read.js';
import { answered } from './refresh.js';
import { renderNote, renderResult, say, showVerdict } from './result.js';
import { state } from './state.js';
import { codesVerifier, encoded, fileBytesMax, joined, renew, scanOf, shown, verdictOf } from './verifier.js';

// What a newer state may come to, to take the place of an older one. That the ledger does not have a receipt nobody can prove: it is told of a
// code of which nothing more is known.
const PROVED = ['in_force', 'too_old', 'reversed', 'refused'];
const ABSENT = ['PENDING', 'OVERDUE'];
const PROBLEMS = { TRUST: 'trustBad', DIRECTORY: 'directoryBad', HOST: 'codeNoHost' };

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
  else if (kind === 'report') await judgeByUnits(asked, { name: shown(verifier, file.name), report: bytes });
  else await answer({ verifier, name: shown(verifier, file.name), bytes });
}

// A PDF or an OFD: the bundle that is attached to it.
async function judgeDocument(verifier, asked, file) {
  const found = await openDocument(file).catch((error) => wordOf(error, 'documentUnread'));
  if (asked !== state.asked) return;
  if (found.bundle) await answer({ verifier, name: shown(verifier, file.name), bytes: found.bundle, attached: true });
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

// A bundle: the bytes of a `.tally`, and the name under which it came. `source`: of whom and by what it can be had again, if it was fetched, and
// whether a verdict `fits` what was asked for.
export async function judgeBundle(name, bytes, source) {
  const asked = begin();
  const verifier = await state.ready;
  if (verifier && asked === state.asked) await answer({ verifier, name: shown(verifier, name), bytes, source });
}

// The same thing once more, because of other options; whoever chose them stays where he is.
export function judgeAgain() {
  const { question } = state;
  if (!question) return;
  const focused = document.activeElement;
  answer(question);
  focused.focus();
}

// The receipt that is shown, with what the ledger says of it now: asked of whoever serves this page, and judged here.
export async function judgeNow() {
  const { question, verdict, asked } = state;
  if (!question) return;
  renderNote('refreshing');
  const newer = await newerOf(question, verdict);
  // Another file may have been chosen since.
  if (asked !== state.asked) return;
  if (newer.why) renderNote(newer.why);
  else await answer(newer.question, (judged) => refreshedTo(judged, verdict));
}

// What is said of a verdict that takes the place of one before.
export function refreshedTo(verdict, before) {
  if (!isProved(verdict)) return 'refreshedAbsent';
  return isProved(before) && verdict.as_of.seconds === before.as_of.seconds ? 'refreshSame' : 'refreshed';
}

// { question } with what the ledger says now, or { why }: a word, and after how many `seconds` to ask again, if that was said.
export async function newerOf(question, verdict) {
  const { verifier, bytes, code } = question;
  let isAhead = false;
  const faultOf = (answer) => {
    const newer = withAnswer(question, answer);
    if (newer.problem) return newer.problem === 'ANSWER_OLDER' ? 'refreshOlder' : 'refreshFalse';
    const judged = verdictOn(newer, options());
    isAhead = isAhead || isOfTheFuture(judged);
    return faultOfVerdict(judged, verdict);
  };
  try {
    const given = await answered(verifier, code ? encoded(digitsOf(code)) : bytes, faultOf);
    if (!given.why) return { question: withAnswer(question, given.answer) };
    // By a clock that is behind, no answer holds: that is no node's fault.
    return given.why === 'refreshFalse' && isAhead ? { why: 'refreshClock' } : given;
  } catch (error) {
    await renew(verifier);
    return { why: 'refreshFalse' };
  }
}

// The question with what the ledger answered, or { problem }.
function withAnswer(question, ledger) {
  if (question.code) return Object.assign({}, question, { ledger });
  const bytes = joined(question.verifier, question.bytes, ledger);
  return bytes.problem ? bytes : Object.assign({}, question, { bytes });
}

export function isProved(verdict) {
  return !verdict.problem && PROVED.includes(verdict.conclusion.result);
}

function isOfTheFuture(verdict) {
  return !verdict.problem && verdict.checks.some((check) => check.outcome === 'failed' && /^(ISSUE|ANCHOR|SEAL)_TIME$/.test(check.code));
}

// Why a verdict may not take the place of the one before; null if it may. What was proved stays until something is proved that is not older.
export function faultOfVerdict(verdict, before) {
  const isKnown = isProved(verdict) || (!verdict.problem && ABSENT.includes(verdict.conclusion.code));
  if (!isKnown) return 'refreshFalse';
  if (!isProved(before)) return null;
  return isProved(verdict) && verdict.as_of.seconds >= before.as_of.seconds ? null : 'refreshOlder';
}

// The text of a code on paper; `source` as for a bundle, if no paper was scanned.
export async function judgeCode(code, source) {
  const asked = begin();
  if ((await state.ready) && asked === state.asked) await judgeByUnits(asked, { code, source });
}

// What is judged by the directory of units: a code, or the report of a receipt that was left out.
async function judgeByUnits(asked, what) {
  const [verifier, known] = await Promise.all([codesVerifier(), directories()]);
  if (asked !== state.asked) return;
  if (!verifier) say('carrierMissing');
  else if (!known.length) say(ownBlock() ? 'directoryMissing' : what.code ? 'codeNotRead' : 'reportNotRead');
  else if (what.code && !hosts().length) say('codeNoHost');
  else await answer(Object.assign({ verifier, known }, what));
}

// What stands behind `#`.
function digitsOf(code) {
  return code.slice(code.indexOf('#') + 1);
}

// The five entries that somebody typed.
export async function judgeTyped() {
  const asked = begin();
  await loadParts().then(() => extras.typed(asked), () => asked === state.asked && say('typedFailed'));
}

// Why there is no verdict at all.
export function sayProblem(problem, atMs) {
  if (problem === 'TIME') say('clockBad', { time: timeOf(atMs) });
  else say(PROBLEMS[problem] || 'trapped');
}

// A time as this device's clock has it; Swedes write it so that everybody can read it.
export function timeOf(ms) {
  return new Date(ms).toLocaleString('sv').slice(0, 16);
}

// Says that something is under way; which of all things it is.
function begin() {
  stopCamera();
  Object.assign(state, { verdict: null, question: null, message: { name: 'judging' }, field: 'total_amount' });
  renderResult();
  state.asked += 1;
  return state.asked;
}

export function options() {
  const asked = { at_ms: Date.now(), clock: true };
  if (state.ageSecondsMax !== null) asked.age_seconds_max = state.ageSecondsMax;
  return asked;
}

// The verdict on a question: a bundle's bytes; or by a directory a report, or a code with what the ledger answered.
function verdictOn(question, asked) {
  const { verifier, bytes } = question;
  return bytes ? verdictOf(verifier, asked, bytes) : scanOf(verifier, Object.assign({ hosts: hosts() }, asked), question);
}

// Of the directories at hand, the latest that holds.
function latest(question, asked) {
  // Opening one is most of a judgement: where there is no choice, it is not done to choose.
  if (question.known.length === 1) return question.known[0];
  let best = { seconds: -1 };
  for (const directory of question.known) {
    const verdict = verdictOn(Object.assign({ directory }, question), { at_ms: asked.at_ms });
    // One from the future is better than none: then the clock is to blame.
    const isAhead = !verdict.problem && verdict.conclusion.code === 'DIRECTORY_AHEAD';
    const seconds = verdict.problem || isAhead ? -1 : (verdict.as_of || { seconds: 0 }).seconds;
    if (!best.directory || seconds > best.seconds) best = { directory, seconds };
  }
  return best.directory;
}

// Shows the verdict on a question. `attached` in it: whether the bytes come out of a document that draws a receipt, too. `noteOf`: what is said
// of a refresh, by its verdict.
async function answer(question, noteOf) {
  const asked = options();
  try {
    const directory = question.directory || (question.known && latest(question, asked));
    const whole = Object.assign({}, question, { directory, options: asked });
    const verdict = verdictOn(whole, asked);
    if (verdict.problem) sayProblem(verdict.problem, asked.at_ms);
    else if (question.source && !question.source.fits(verdict)) say('typedOther');
    else showVerdict(whole, verdict, noteOf && noteOf(verdict));
  } catch (error) {
    await renew(question.verifier);
    say('trapped');
  }
}
