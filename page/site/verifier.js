// The verifier: receipt-core as WebAssembly (verifier/wasm). It gets bytes and gives JSON; it knows no clock, and has no imports. There are two
// modules of it: one for files, and one for codes, which is fetched when the first code is judged.

import { bytesOf } from './base64.js';

// A module without anything in it: whether this browser may run any.
const EMPTY_MODULE = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
const [ENCODER, DECODER] = [new TextEncoder(), new TextDecoder()];
// Characters that every text is shown with as they are: a verdict has some 400 texts, nearly all of no others.
export const PLAIN = /^[ -~\u3001-\u3011\u4e00-\u9fff\uff01-\uff5e]*$/;

// Loads one of them: from the file that the page names by hash, or from the page itself, where one module answers all questions.
export async function load(id) {
  // At once: a promise would be kept until the page has been laid out and painted.
  new WebAssembly.Module(EMPTY_MODULE);
  const trust = encoded(document.getElementById('trust').textContent);
  const block = (await blockOf(id)) || (await blockOf('verify'));
  const module = await WebAssembly.compile(await blockBytes(block));
  return { module, trust, exports: (await WebAssembly.instantiate(module, {})).exports };
}

let codes = null;

// The module for codes; null if it could not be fetched. It is asked for again the next time.
export function codesVerifier() {
  codes =
    codes ||
    load('codes').catch(() => {
      codes = null;
      return null;
    });
  return codes;
}

// A block of the page; null if it has none of this name. What the first verdict needs stands before the page's script, the rest behind it, where a
// slow phone is still reading when somebody has chosen a file.
export async function blockOf(id) {
  if (!document.getElementById(id) && document.readyState === 'loading') {
    await new Promise((resolve) => document.addEventListener('DOMContentLoaded', resolve));
  }
  return document.getElementById(id);
}

// The bytes that a block of the page carries, or names by hash.
export async function blockBytes(block) {
  const address = block.getAttribute('data-address');
  if (!address) return bytesOf(block.textContent);
  const integrity = block.getAttribute('data-integrity');
  const response = await fetch(address, { integrity, credentials: 'omit' });
  if (!response.ok) throw new Error(`${address}: HTTP ${response.status}`);
  return response.arrayBuffer();
}

// How many bytes of a file are worth reading.
export function fileBytesMax(verifier) {
  return verifier.exports.tallystick_file_bytes_max();
}

// The JSON text of the verdict, as receipt-core writes it.
export function verdictText(verifier, options, bundle) {
  return ask(verifier, 'tallystick_verdict', options, bundle);
}

// The verdict, with every text in it fit to be shown.
export function verdictOf(verifier, options, bundle) {
  return shownAll(verifier, JSON.parse(verdictText(verifier, options, bundle)));
}

// The way from a value to the checkpoint, or null.
export function traceOf(verifier, options, bundle) {
  return shownAll(verifier, JSON.parse(ask(verifier, 'tallystick_trace', options, bundle)));
}

// The JSON text of the verdict on a code by a directory of units, as receipt-core writes it, or on the `report` of a receipt left out. `ledger`: what
// it answers of a code, if it was asked.
export function scanText(verifier, options, { code, report, directory, ledger }) {
  const parts = [encoded(JSON.stringify(options)), verifier.trust, directory, report || encoded(code)];
  const lengths = parts.map((part) => part.length);
  put(verifier, ledger ? parts.concat([ledger]) : parts);
  const { tallystick_scan: scan, tallystick_scan_answered: scanAnswered, tallystick_left_out: leftOut } = verifier.exports;
  return take(verifier, ledger ? scanAnswered(...lengths) : (report ? leftOut : scan)(...lengths.slice(0, 3)));
}

// The same, with every text in it fit to be shown.
export function scanOf(verifier, options, scan) {
  return shownAll(verifier, JSON.parse(scanText(verifier, options, scan)));
}

// What a portal is asked about the receipt of a bundle or of a code's digits: { code, number, status_key }, or { problem }.
export function questionOf(verifier, receipt) {
  put(verifier, [verifier.trust, receipt]);
  return JSON.parse(take(verifier, verifier.exports.tallystick_question(verifier.trust.length)));
}

// The bundle with the proofs of a ledger's answer, as bytes; or { problem }: the answer does not fit.
export function joined(verifier, bundle, answer) {
  put(verifier, [verifier.trust, bundle, answer]);
  const bytes = taken(verifier, verifier.exports.tallystick_joined(verifier.trust.length, bundle.length));
  const text = DECODER.decode(bytes);
  return text.startsWith('{"problem"') ? JSON.parse(text) : bytes;
}

// A text of somebody else's as it may be shown.
export function shown(verifier, text) {
  if (PLAIN.test(text)) return text;
  put(verifier, [encoded(text)]);
  return take(verifier, verifier.exports.tallystick_shown());
}

function shownAll(verifier, value) {
  if (typeof value === 'string') return shown(verifier, value);
  if (Array.isArray(value)) return value.map((item) => shownAll(verifier, item));
  if (value === null || typeof value !== 'object') return value;
  const copy = {};
  for (const key of Object.keys(value)) copy[key] = shownAll(verifier, value[key]);
  return copy;
}

function ask(verifier, question, options, bundle) {
  const json = encoded(JSON.stringify(options));
  put(verifier, [json, verifier.trust, bundle]);
  return take(verifier, verifier.exports[question](json.length, verifier.trust.length));
}

// A text as bytes.
export function encoded(text) {
  return ENCODER.encode(text);
}

// Puts the parts of a question where a module finds it.
export function put(verifier, parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  let at = verifier.exports.tallystick_input(length);
  // The memory may have grown, and been replaced: it is looked at anew.
  const memory = new Uint8Array(verifier.exports.memory.buffer);
  for (const part of parts) {
    memory.set(part, at);
    at += part.length;
  }
}

function take(verifier, length) {
  return DECODER.decode(taken(verifier, length));
}

// The bytes of a module's answer.
export function taken(verifier, length) {
  const at = verifier.exports.tallystick_output();
  return new Uint8Array(verifier.exports.memory.buffer, at, length).slice();
}

// A new instance, after one has stopped in the middle of something.
export async function renew(verifier) {
  verifier.exports = (await WebAssembly.instantiate(verifier.module, {})).exports;
}
