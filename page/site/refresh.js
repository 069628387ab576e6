// Asking the portal what the ledger says of a receipt now. All that is sent: its code, its number, and a hash of what its unit signed. An
// answer is no more believed than a file is: the verifier judges it, and if it does not hold, another node is asked.

import { questionOf } from './verifier.js';

// How often another node is asked.
const TRIES = 4;
const ADDRESS = 'refresh';

// Whether this page has a portal: one that came from a disk has none.
export function canAsk() {
  return location.protocol === 'https:' || location.protocol === 'http:';
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
  let response;
  try {
    response = await fetch(ADDRESS, { method: 'POST', headers, body, credentials: 'omit', cache: 'no-store' });
  } catch (error) {
    return { why: 'refreshOffline' };
  }
  if (response.ok) {
    try {
      return { bytes: new Uint8Array(await response.arrayBuffer()) };
    } catch (error) {
      return { why: 'refreshOffline' };
    }
  }
  const seconds = Number(response.headers.get('retry-after')) || 0;
  return { why: response.status === 429 ? 'refreshTooOften' : 'refreshLater', seconds };
}
