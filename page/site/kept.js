// The receipts that are kept in this browser, in the place of what the page shows otherwise. Each is judged when the list is opened.
//
//   kept.js        opens and closes the list, and what its controls do
//   kept-rows.js   how it is drawn
//   store.js       where the receipts are

import { stopCamera } from './camera.js';
import { isProved, judgeBundle, newerOf, options } from './judge.js';
import { keepNow } from './keep.js';
import { drawList, drawRow } from './kept-rows.js';
import { referencePart } from './reference.js';
import { canAsk } from './refresh.js';
import { canChange } from './result.js';
import { save, savesNothing } from './save.js';
import { at, state } from './state.js';
import { keptAll, removeAllKept, removeKept, sawKept } from './store.js';
import { fileBytesMax, renew, verdictOf } from './verifier.js';
import { word } from './words.js';
import { zipped } from './zip.js';

// What stands there otherwise.
const OTHERS = ['choose', 'typed', 'first', 'rest'];
// A portal answers a source some 60 times a minute (docs/ops/portal.md), and there may be others behind the same address.
const PACE_MS = 1100;
const WAIT_SECONDS_MAX = 120;
const WAITS_MAX = 3;

// The list while it is open: { asked, rows, note, bytesMax, asks, stop }. A row: { entry, verdict, bytes, name, note, isNew, asks }.
let list = null;
// The receipt that was opened from the list last: what a refresh brings is kept, too.
let opened = null;
// What is being kept of it; the list waits for that.
let keeping = null;

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
  const { question, verdict } = state;
  if (opened && opened.asked === state.asked && question && verdict && question.bytes !== opened.bytes) {
    opened.bytes = question.bytes;
    keeping = keepNow(question, verdict);
  }
}

function close() {
  list.stop = true;
  list = null;
  at('kept').remove();
  for (const id of OTHERS) at(id).hidden = false;
}

// Draws the list anew; whoever is at one of its controls stays there.
function draw() {
  list.language = state.language;
  const focused = document.activeElement ? document.activeElement.id : '';
  const section = drawList(list, ACTS);
  if (at('kept')) at('kept').replaceWith(section);
  else at('first').before(section);
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
    await keeping;
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
    const { conclusion, as_of: asOf } = row.verdict;
    const seen = { code: conclusion.code, as_of: asOf ? asOf.seconds : 0 };
    if (row.entry.code !== seen.code) await sawKept(row.entry.key, seen).catch(() => null);
  }
}

// The words for what is to be known of this browser.
async function conditions() {
  const says = [];
  if (savesNothing()) says.push('keptWechat');
  if (location.protocol === 'file:') says.push('keptFile');
  const storage = navigator.storage;
  const isFirm = storage && storage.persisted ? await storage.persisted().catch(() => false) : false;
  return says.concat(isFirm ? 'keptFirm' : 'keptLoose');
}

// The verdict on a row, as of now; what cannot be judged has one that says so.
async function judge(own, row) {
  try {
    row.verdict = verdictOf(own.verifier, options(), row.bytes || new Uint8Array(0));
    row.changed = Boolean(row.entry.code) && row.entry.code !== row.verdict.conclusion.code;
  } catch (error) {
    await renew(own.verifier);
    row.verdict = verdictOf(own.verifier, options(), new Uint8Array(0));
  }
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
    opened = { asked: state.asked, bytes: state.question && state.question.bytes };
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

  async removeOne(row) {
    await removed(() => removeKept(row.entry.key), (other) => other !== row);
  },

  async removeAll() {
    await removed(removeAllKept, () => false);
  },

  async refreshAll() {
    if (list.asks) {
      list.asks = false;
      return;
    }
    await refresh(list);
  },

  canAsk,
  savesNothing,
  nameOf,
};

async function removed(remove, stays) {
  const own = list;
  try {
    await remove();
    if (own.stop) return;
    own.rows = own.rows.filter(stays);
    draw();
    say('keptRemoved');
    at('kept-title').focus();
  } catch (error) {
    if (!own.stop) say(error.word);
  }
}

// Every receipt of which the ledger may say something else by now, one after the other. Leaving the list ends it.
async function refresh(own) {
  const rows = own.rows.filter((row) => row.verdict && canChange(row.verdict));
  own.asks = true;
  draw();
  let done = 0;
  for (const row of rows) {
    if (own.stop || !own.asks) break;
    say('keptRefreshing', { number: done + 1, count: rows.length });
    const why = await refreshRow(own, row);
    if (own.stop) return;
    if (!own.asks) break;
    if (why === 'refreshOffline' || why === 'refreshTooOften') {
      own.asks = false;
      draw();
      say(why === 'refreshOffline' ? 'keptOffline' : 'keptTooOften', { number: done, count: rows.length });
      return;
    }
    done += 1;
    if (row !== rows[rows.length - 1]) await pause(own, PACE_MS);
  }
  if (own.stop) return;
  own.asks = false;
  draw();
  say(done === rows.length ? 'keptRefreshed' : 'keptStopped', { number: done, count: rows.length });
}

// What became of one: a word, which stands in its row.
async function refreshRow(own, row) {
  const note = (name) => {
    row.note = name;
    if (!own.stop) drawRow(row, ACTS);
    return name;
  };
  note('refreshing');
  for (let waited = 0; ; waited += 1) {
    const newer = await newerOf({ verifier: own.verifier, bytes: row.bytes }, row.verdict);
    if (own.stop) return newer.why;
    const { why, seconds } = newer;
    if (!why) return note(await taken(own, row, newer.question.bytes));
    if (why !== 'refreshTooOften' || waited === WAITS_MAX || !(seconds <= WAIT_SECONDS_MAX)) return note(why);
    say('keptWaits', { seconds });
    await pause(own, seconds * 1000);
    if (own.stop || !own.asks) return note(null);
  }
}

// What the ledger says now takes the place of what was kept.
async function taken(own, row, bytes) {
  const before = row.verdict;
  row.bytes = bytes;
  await judge(own, row);
  row.changed = before.conclusion.code !== row.verdict.conclusion.code;
  const kept = await keepNow({ verifier: own.verifier, bytes }, row.verdict);
  if (kept !== 'keepDone' && kept !== 'keepOlder') return kept;
  return isProved(row.verdict) ? 'keptNew' : 'refreshedAbsent';
}

// Ends early when nobody waits for it any more.
async function pause(own, ms) {
  const until = performance.now() + ms;
  while (!own.stop && own.asks && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 100));
}
