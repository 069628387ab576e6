// The five entries of a receipt that somebody typed. By themselves they prove nothing: what the site hands out for them is judged.

import { at } from './state.js';

const HIGHEST_WAIT_MS = 60000;
// How often it waits before it is told to come back.
const WAITS = 2;
const WORDS = { NOT_FOUND_OR_MISMATCH: 'typedNotFound', IN_PROGRESS: 'typedPending', REFUSED: 'typedRefused' };

// What fingers and input methods add to digits is taken away: spaces, full-width forms, the sign of the currency.
export function tidy(input) {
  const text = input.value.normalize('NFKC').replace(/\s+/g, '');
  if (input.id === 'check_code') input.value = text.toLowerCase();
  else input.value = input.id === 'total' ? text.replace(/[,¥元]/g, '') : text;
}

// Asks who hands out the receipts of this page: { bundle }, or the { name } of the word that says why there is none, and its values. Whoever
// tries a receipt often is made to wait by its issuer; `waits` is told for how many seconds.
export async function ask(waits) {
  const form = at('elements');
  const address = form.getAttribute('action');
  if (!address) return { name: 'typedOffline' };
  const sent = {};
  for (const input of form.querySelectorAll('input')) sent[input.name] = input.value;
  return askAt(address, sent, waits);
}

// The same of whoever gives out receipts at an address of this site, by what is sent there; `fields`: what is asked for besides.
export async function askAt(address, sent, waits) {
  try {
    for (let waited = 0; ; waited += 1) {
      const response = await post(address, sent);
      if (response.status !== 202) return await answered(response);
      const { ticket, wait_ms: waitMs } = await response.json();
      const seconds = Math.ceil(waitMs / 1000);
      if (waited === WAITS || waitMs > HIGHEST_WAIT_MS) return { name: 'typedLater', values: { seconds } };
      waits(seconds);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      sent.ticket = ticket;
    }
  } catch (error) {
    // No network, or an answer that is none.
    return { name: 'typedFailed' };
  }
}

function post(address, sent) {
  const headers = { 'content-type': 'application/json' };
  return fetch(address, { method: 'POST', headers, body: JSON.stringify(sent), credentials: 'omit', cache: 'no-store' });
}

async function answered(response) {
  const answer = await response.json();
  if (response.ok && answer.download) return { bundle: await downloaded(answer.download.address) };
  if (response.ok && answer.state === 'REFUSED') return { name: 'typedRefused' };
  if (response.ok && answer.state === 'PENDING') return { name: 'typedPending' };
  const seconds = Math.ceil(answer.retry_after_ms / 1000);
  if (response.status === 429 && seconds > 0) return { name: 'typedLater', values: { seconds } };
  return { name: WORDS[answer.problem] || 'typedFailed', fields: answer.fields };
}

async function downloaded(address) {
  const response = await fetch(address, { credentials: 'omit', cache: 'no-store' });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
