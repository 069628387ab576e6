// What carries a receipt besides its own file: documents with the bundle attached, pictures with a code. Opened by a WebAssembly module of
// its own (verifier/carrier), which is fetched and compiled when it is first needed.

import { blockBytes, blockOf, put, renew, taken } from './verifier.js';

const LINE_END = 10;
let loading = null;

// The module. One that could not be fetched is asked for again the next time.
function carrier() {
  loading =
    loading ||
    load().catch((error) => {
      loading = null;
      throw Object.assign(error, { word: 'carrierMissing' });
    });
  return loading;
}

async function load() {
  const module = await WebAssembly.compile(await blockBytes(await blockOf('carrier')));
  return { module, exports: (await WebAssembly.instantiate(module, {})).exports };
}

// How many bytes of a document are worth reading.
export async function documentBytesMax() {
  return (await carrier()).exports.tallystick_document_bytes_max();
}

// { kind, why }, and the bundle if there is one. A document that stops the module in the middle of something is damaged.
export async function bundleOf(bytes) {
  const answer = await ask('tallystick_attached', bytes, []);
  if (!answer) return { kind: 'other', why: 'DAMAGED', bundle: null };
  const line = answer.indexOf(LINE_END);
  const { kind, why } = JSON.parse(new TextDecoder().decode(answer.subarray(0, line)));
  return { kind, why, bundle: why ? null : answer.slice(line + 1) };
}

// The texts of the codes in a picture: one byte a pixel, row by row.
export async function codesIn(grey, width, height) {
  const answer = await ask('tallystick_codes', grey, [width, height]);
  return answer && answer.length ? JSON.parse(new TextDecoder().decode(answer)) : [];
}

async function ask(question, bytes, numbers) {
  const module = await carrier();
  try {
    put(module, [bytes]);
    return taken(module, module.exports[question](...numbers));
  } catch (error) {
    await renew(module);
    return null;
  }
}
