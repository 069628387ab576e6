// Asking whoever hands out the receipts of this page's site. Nothing typed is ever part of an address, and what is kept of it is in this page's
// memory alone.

// While it waits, it is said anew so often how long that still is.
const STEP_MS = 15000;
// What is sent to say which receipt is meant, and what its unit has signed of that, by their names.
const SIGNED = { code: 'receipt_code', number: 'receipt_number', date: 'issue_date', total: 'total_amount', unit_code: 'unit_code' };
const WORDS = { NOT_FOUND_OR_MISMATCH: 'typedNotFound', IN_PROGRESS: 'typedPending', REFUSED: 'typedRefused', NO_DOCUMENT: 'filesNone' };

// The tickets of tries that were given a place in line, by what was sent. Such a try was counted when it got its place: it stands there until it has
// been judged, whatever is looked at meanwhile, and whoever sends the same again goes on with it.
const tickets = new Map();

// What the site gives for what is sent to an address of it: its { download }, and of how many `pages` that is the first; what was typed, if the site
// has no receipt to give for it, in the `record` that the unit signed; and the { name } of the word that says why there is none, its `values`, and
// the `fields` that are asked for besides. Whoever tries a receipt often is made to wait by its issuer; `waits` is told for how many seconds.
// `isOver`: whether nobody waits for the answer any more; then there is none.
export async function askAt(address, sent, { isOver, waits }) {
  const key = JSON.stringify([address, sent]);
  try {
    for (;;) {
      const response = await post(address, Object.assign({}, sent, tickets.has(key) && { ticket: tickets.get(key) }));
      const answer = await response.json();
      if (response.status !== 202) {
        // Of a site that has no time the try was not judged.
        if (response.status < 429) tickets.delete(key);
        return answered(response, answer);
      }
      tickets.set(key, answer.ticket);
      if (!(await waited(Math.max(1, Math.ceil(answer.wait_ms / 1000)), isOver, waits))) return {};
    }
  } catch (error) {
    // No network, or an answer that is none.
    return { name: 'typedFailed' };
  }
}

// Whether a verdict is on the receipt that was asked for with what was sent, as far as its unit has signed it: a site could give any other one, which
// is as genuine. A verdict without what the unit has signed says of none that it is.
export function fitting(sent) {
  const isSame = (name, value) => (name === 'total' ? fenOf(sent.total) === fenOf(value) : sent[name] === value);
  return ({ compare = [] }) => Object.keys(SIGNED).every((name) => {
    const row = compare.find(({ code }) => code === SIGNED[name]);
    return !row || !sent[name] || isSame(name, row.value);
  });
}

function fenOf(yuan) {
  return Math.round(Number(yuan) * 100);
}

// The bytes of what the site gives, or the { name } of the word that says why there are none.
export async function bytesOfDownload({ address }) {
  try {
    const response = await fetch(address, { credentials: 'omit', cache: 'no-store' });
    return response.ok ? { bytes: new Uint8Array(await response.arrayBuffer()) } : { name: 'typedFailed' };
  } catch (error) {
    return { name: 'typedFailed' };
  }
}

function post(address, sent) {
  const headers = { 'content-type': 'application/json' };
  return fetch(address, { method: 'POST', headers, body: JSON.stringify(sent), credentials: 'omit', cache: 'no-store' });
}

// Whether somebody waits still when the time has come.
async function waited(seconds, isOver, waits) {
  if (!seconds) throw new Error('202');
  const until = performance.now() + seconds * 1000;
  for (;;) {
    const left = until - performance.now();
    if (isOver() || left <= 0) return !isOver();
    waits(Math.ceil(left / 1000));
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, STEP_MS)));
  }
}

function answered(response, answer) {
  if (response.ok && answer.download) return { download: answer.download, pages: answer.page_count };
  if (response.ok && answer.state === 'REFUSED') return { name: 'typedRefused', record: answer.signed_record };
  if (response.ok && answer.state === 'PENDING') return { name: 'typedPending', record: answer.signed_record };
  const seconds = Math.ceil(answer.retry_after_ms / 1000);
  if (response.status === 429 && seconds > 0) return { name: 'typedLater', values: { seconds } };
  return { name: WORDS[answer.problem] || 'typedFailed', fields: answer.fields };
}
