// The receipts that are kept in this browser, in the place of what the page shows otherwise. Each is judged when the list is opened.
//
//   kept.js        opens and closes the list, and what its controls do
//   kept-rows.js   how it is drawn
//   store.js       where the receipts are

import { stopCamera } from './camera.js';
import { judgeBundle, newerOf, options, refreshedTo, timeOf } from './judge.js';
import { follow, forget, keepNow, seenOf, settled, verdictOfAnyAge } from './keep.js';
import { drawList, drawRow } from './kept-rows.js';
import { referencePart } from './reference.js';
import { canAsk } from './refresh.js';
import { canChange } from './result.js';
import { save, savesNothing } from './save.js';
import { at, state } from './state.js';
import { keptAll, keptOne, removeAllKept, removeKept, sawKept } from './store.js';
import { fileBytesMax, renew, verdictOf } from './verifier.js';
import { word } from './words.js';
import { zipped } from './zip.js';

// What stands there otherwise.
const OTHERS = ['choose', 'typed', 'first', 'rest'];
// A portal answers a source some 60 times a minute (docs/ops/portal.md), and there may be others behind the same address.
const PACE_MS = 1100;
const WAIT_SECONDS_MAX = 120;
// What is said of a refresh, said of one of many.
const KEPT = { refreshed: 'keptNew', refreshSame: 'refreshSame' };
const WAITS_MAX = 3;

// The list while it is open: { asked, rows, note, stop, run }. `run`: the refresh of all that is under way, { stops }; another one, or none,
// when it is over. A row: { entry, bytes, verdict, seen, changed, isUndated, note }.
let list = null;

// Opens the list.
export async function openKept() {
  const verifier = await state.ready;
  if (!verifier || list) return;
  stopCamera();
  list = { asked: state.asked, language: state.language, rows: [], note: null, says: [], verifier };
  const own = list;
  list.form = referencePart(() => Boolean(own.stop));
  for (const id of OTHERS) at(id).hidden = true;
  draw();
  at('kept-title').focus();
  await read();
}

// Called whenever the page has shown something: what was chosen meanwhile stands in the place of the list.
export function keptDrawn() {
  if (list && list.asked !== state.asked) close();
  else if (list && list.language !== state.language) draw();
}

function close() {
  list.stop = true;
  list = null;
  at('kept').remove();
  document.querySelector('[data-word=siteLost]').hidden = false;
  for (const id of OTHERS) at(id).hidden = false;
}

// Draws the list anew; whoever is at one of its controls stays there.
function draw() {
  list.language = state.language;
  const focused = document.activeElement ? document.activeElement.id : '';
  const section = drawList(list, ACTS);
  if (at('kept')) at('kept').replaceWith(section);
  else at('site').before(section);
  // The same is offered in the list.
  document.querySelector('[data-word=siteLost]').hidden = true;
  if (focused && section.contains(at(focused))) at(focused).focus();
}

function say(name, values) {
  list.note = { name, values };
  at('kept-note').textContent = word(state.language, name, values);
}

// The rows, from the store; then each is judged, and the page stays answerable meanwhile.
async function read() {
  const own = list;
  try {
    await settled();
    const entries = await keptAll(fileBytesMax(own.verifier));
    if (own.stop) return;
    own.isRead = true;
    own.rows = entries.map((entry) => ({ entry, bytes: entry.bytes }));
    own.says = await conditions();
  } catch (error) {
    if (!own.stop) say(error.word);
    return;
  }
  if (own.stop) return;
  draw();
  for (const row of own.rows) {
    await new Promise((resolve) => setTimeout(resolve));
    if (own.stop) return;
    await judge(own, row);
    if (own.stop) return;
    drawRow(row, ACTS);
    if (at('kept-refresh') && !own.run) at('kept-refresh').hidden = !ACTS.canRefresh();
    if (row.seen && row.entry.code !== row.seen.code) await sawKept(row.entry.key, row.seen).catch(() => null);
  }
}

// The words for what is to be known of this browser.
async function conditions() {
  const says = [];
  if (savesNothing()) says.push(canAsk() ? 'keptWechatSite' : 'keptWechat');
  if (location.protocol === 'file:') says.push('keptFile');
  const storage = navigator.storage;
  const isFirm = storage && storage.persisted ? await storage.persisted().catch(() => false) : false;
  const lasts = isFirm ? 'keptFirm' : 'keptLoose';
  return says.concat(savesNothing() ? `${lasts}Only` : lasts);
}

// The verdict on a row, as of now; what cannot be judged has one that says so.
async function judge(own, row) {
  try {
    verdictInto(own, row, row.bytes || new Uint8Array(0));
    row.changed = Boolean(row.entry.code) && Boolean(row.seen) && row.entry.code !== row.seen.code;
  } catch (error) {
    await renew(own.verifier);
    verdictInto(own, row, new Uint8Array(0));
  }
}

// By an impossible clock there is none.
function verdictInto(own, row, bytes) {
  const asked = options();
  const verdict = verdictOf(own.verifier, asked, bytes);
  row.isUndated = Boolean(verdict.problem);
  row.verdict = row.isUndated ? null : verdict;
  row.seen = row.isUndated ? null : seenOf(verdictOfAnyAge(own.verifier, bytes));
  if (row.isUndated && own === list) say(verdict.problem === 'TIME' ? 'keptClockBad' : 'trapped', { time: timeOf(asked.at_ms) });
}

// By what a row is known to people and as a file: its code and number, which the unit signed.
export function nameOf({ verdict, entry }) {
  const values = (verdict && verdict.compare) || [];
  const value = (code) => (values.find((row) => row.code === code) || {}).value;
  const [code, number] = [value('receipt_code'), value('receipt_number')];
  // Of a key of somebody else's making nothing is shown that acts on a reader.
  return (code && number ? `${code}-${number}` : String(entry.key).slice(0, 16)).replace(/[^0-9A-Za-z-]/g, '');
}

const ACTS = {
  back() {
    close();
    at('kept-open').focus();
  },

  async open(row) {
    await judgeBundle(`${nameOf(row)}.tally`, row.bytes);
    if (state.question && state.question.bytes === row.bytes) follow(state.asked, row.bytes);
  },

  saveOne(row) {
    save(`${nameOf(row)}.tally`, [row.bytes]);
  },

  saveAll() {
    const files = list.rows.filter((row) => row.bytes).map((row) => ({ name: nameOf(row), bytes: row.bytes }));
    // Two states of a number, if the ledger refused one of them.
    const named = files.map(({ name, bytes }, index) => {
      const isFirst = files.findIndex((file) => file.name === name) === index;
      return { name: `${isFirst ? name : `${name}-${index + 1}`}.tally`, bytes };
    });
    save(`tallystick-${new Date().toISOString().slice(0, 10)}.zip`, zipped(named));
  },

  // What was said before is no answer to what is asked now.
  asks() {
    if (list.run) return;
    list.note = null;
    at('kept-note').textContent = '';
  },

  async removeOne(row) {
    await removed(() => removeKept(row.entry.key), (other) => other !== row);
  },

  async removeAll() {
    await removed(removeAllKept, () => false);
  },

  async refreshAll() {
    if (!list.run) await refresh(list);
    else if (!list.run.stops) {
      list.run.stops = true;
      say('keptStopping');
    }
  },

  // Whether the ledger may say something else of any of them.
  canRefresh: () => list.rows.some((row) => row.verdict && canChange(row.verdict)),
  canAsk,
  savesNothing,
  nameOf,
};

async function removed(remove, stays) {
  const own = list;
  try {
    await remove();
    forget();
    own.run = null;
    if (own.stop) return;
    own.rows = own.rows.filter(stays);
    draw();
    say('keptRemoved');
    at('kept-title').focus();
  } catch (error) {
    if (!own.stop) say(error.word);
  }
}

// Every receipt of which the ledger may say something else by now, one after the other. Leaving the list ends it, and so does removing.
async function refresh(own) {
  const rows = own.rows.filter((row) => row.verdict && canChange(row.verdict));
  const run = { stops: false };
  own.run = run;
  draw();
  const end = (name, number) => {
    if (isOver(own, run)) return;
    own.run = null;
    draw();
    say(name, { number, count: rows.length });
  };
  let done = 0;
  for (const row of rows) {
    if (isOver(own, run) || run.stops) break;
    say('keptRefreshing', { number: done + 1, count: rows.length });
    const why = await refreshRow(own, run, row);
    if (why === 'refreshOffline') return end('keptOffline', done);
    if (why === 'refreshTooOften') return end('keptTooOften', done);
    if (why) done += 1;
    if (row !== rows[rows.length - 1]) await pause(own, run, PACE_MS);
  }
  return end(done === rows.length ? 'keptRefreshed' : 'keptStopped', done);
}

function isOver(own, run) {
  return own.stop || own.run !== run;
}

// What became of one: a word, which stands in its row.
async function refreshRow(own, run, row) {
  const note = (name) => {
    row.note = name;
    if (!own.stop) drawRow(row, ACTS);
    return name;
  };
  note('refreshing');
  for (let waited = 0; ; waited += 1) {
    const newer = await newerOf({ verifier: own.verifier, bytes: row.bytes }, row.verdict);
    const { why, seconds } = newer;
    if (!why) return note(await taken(own, row, newer.question.bytes));
    if (isOver(own, run) || why !== 'refreshTooOften' || waited === WAITS_MAX || !(seconds <= WAIT_SECONDS_MAX)) return note(why);
    if (run.stops) return note(null);
    note('');
    say('keptWaits', { seconds });
    await pause(own, run, seconds * 1000);
    if (isOver(own, run) || run.stops) return note(null);
    note('refreshing');
  }
}

// What the ledger says now takes the place of what was kept, if it is there still.
async function taken(own, row, bytes) {
  const { seen: before, verdict } = row;
  let kept = await keepNow({ verifier: own.verifier, bytes }, true);
  // Another window has kept a later state.
  const other = kept === 'keepOlder' ? await keptOne(row.entry.key, fileBytesMax(own.verifier)).catch((error) => error) : null;
  if (other && other.word) return other.word;
  row.isGone = kept === 'keepGone' || (kept === 'keepOlder' && !other);
  if (row.isGone) kept = 'keptGone';
  row.bytes = other ? other.bytes : bytes;
  await judge(own, row);
  row.changed = Boolean(row.seen) && before.code !== row.seen.code;
  if (kept !== 'keepDone' && kept !== 'keepOlder') return kept;
  return row.verdict ? KEPT[refreshedTo(row.verdict, verdict)] || 'refreshedAbsent' : 'refreshedAbsent';
}

// Ends early when nobody waits for it any more.
async function pause(own, run, ms) {
  const until = performance.now() + ms;
  while (!isOver(own, run) && !run.stops && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 100));
}
