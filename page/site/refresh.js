// Asking the portal what the ledger says of a receipt now. All that is sent: its code, its number, and a hash of what its unit signed. An
// answer is no more believed than a file is: the verifier judges it, and if it does not hold, another node is asked.

import { at } from './state.js';
import { questionOf } from './verifier.js';

// How often another node is asked.
const TRIES = 4;
const ADDRESS = 'refresh';
// Longer than a portal asks its nodes. Of one that takes a question and says nothing a browser would wait for minutes.
const WAIT_MS = 30000;

// Whether this page has a portal: the one file has none, wherever it lies, and neither has one that came from a disk.
export function canAsk() {
  return at('elements').hasAttribute('action') && /^https?:$/.test(location.protocol);
}

// { answer }: the first one of which `faultOf(bytes)` says nothing; or { why }: a word. `receipt`: a bundle, or the digits of a code, as bytes.
export async function answered(verifier, receipt, faultOf) {
  const question = questionOf(verifier, receipt);
  if (question.problem) return { why: 'refreshUnfit' };
  let why = 'refreshFalse';
  for (let number = 0; number < TRIES; number += 1) {
    const answer = await ask(question, number);
    if (answer.why) return answer;
    why = faultOf(answer.bytes);
    if (!why) return { answer: answer.bytes };
  }
  return { why };
}

// The ledger's answer as the portal hands it on, or { why }. `asked`: what questionOf gives.
async function ask(asked, number) {
  const body = JSON.stringify(Object.assign({ try: number }, asked));
  const headers = { 'content-type': 'application/json' };
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), WAIT_MS);
  try {
    const response = await fetch(ADDRESS, { method: 'POST', headers, body, credentials: 'omit', cache: 'no-store', signal: late.signal });
    if (response.ok) return { bytes: new Uint8Array(await response.arrayBuffer()) };
    const seconds = Number(response.headers.get('retry-after')) || 0;
    return { why: response.status === 429 ? 'refreshTooOften' : 'refreshLater', seconds };
  } catch (error) {
    return { why: late.signal.aborted ? 'refreshLater' : 'refreshOffline' };
  } finally {
    clearTimeout(timer);
  }
}
