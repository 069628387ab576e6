// The five entries of a receipt that somebody typed. By themselves they prove nothing, and neither does what the site says of them: the receipt that it
// hands out for them is judged, or what the unit signed, which is what the code on the paper has.

import { codeOf, hosts } from './address.js';
import { bytesOf } from './base64.js';
import { directories } from './directory.js';
import { askAt, bytesOfDownload, fitting } from './fetching.js';
import { judgeBundle, judgeCode, judgeNow } from './judge.js';
import { canChange, say } from './result.js';
import { at, state } from './state.js';
import { codesVerifier } from './verifier.js';
import { word } from './words.js';

const ADDRESS = 'elements';
const WAITS = 'typedWaits';
// Where the same receipt is had as another kind of file, for the same entries.
const FILES = 'fetch';
// Digits for so many bytes, as docs/spec/code.md has them: seven bytes are a group.
const DIGITS = [0, 3, 5, 8, 10, 13, 15, 17];
const GROUP = 7;

// Looks up what stands in the form. `asked`: as what, of all that was asked for.
export async function typed(asked) {
  const sent = {};
  for (const input of at('elements').querySelectorAll('input')) sent[input.name] = input.value;
  const isOver = () => asked !== state.asked;
  if (isOver()) return;
  const { download, record, name, values } = await askAt(ADDRESS, sent, { isOver, waits });
  const given = download && !isOver() ? await bytesOfDownload(download) : { name, values };
  if (isOver()) return;
  const source = { address: FILES, sent, fits: fitting(sent) };
  if (given.bytes) await judgeBundle(word(state.language, 'typedName'), given.bytes, source);
  else if (!record || !(await judgedAsCode(record, source, isOver))) say(given.name, given.values);
}

// Says how long it is; who has gone on to another part of the page stays there.
function waits(seconds) {
  const { message, language } = state;
  if (!message || message.name !== WAITS) {
    say(WAITS, { seconds });
    return;
  }
  message.values = { seconds };
  at('word').textContent = word(language, WAITS, message.values);
}

// Judges what the unit signed, and asks the ledger about it. Resolves to whether that was done, or nobody waits for it any more; if not, the site's
// word is all there is.
async function judgedAsCode(record, source, isOver) {
  const digits = digitsOf(record);
  const [verifier, known] = await Promise.all([codesVerifier(), directories()]);
  if (isOver()) return true;
  if (!digits || !verifier || !known.length || !hosts().length) return false;
  await judgeCode(codeOf(digits), source);
  // Something else may have been chosen since.
  if (state.question && state.question.code === codeOf(digits) && canChange(state.verdict)) await judgeNow();
  return true;
}

// The digits of bytes in base64, as a code has them; null of what is none.
function digitsOf(record) {
  let bytes;
  try {
    bytes = bytesOf(record);
  } catch (error) {
    return null;
  }
  let digits = '';
  for (let start = 0; start < bytes.length; start += GROUP) {
    const group = bytes.subarray(start, start + GROUP);
    const value = group.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    digits += String(value).padStart(DIGITS[group.length], '0');
  }
  return digits;
}
