// For whoever has no receipt: what was paid, and the end of the payer's identity number, are sent to this site, whose issuers look it up. What
// comes is judged like any file. Nothing typed is ever part of an address, and nothing of it is kept.

import { askAt, bytesOfDownload, fitting } from './fetching.js';
import { judgeBundle } from './judge.js';
import { canAsk } from './refresh.js';
import { make } from './show.js';
import { at, state } from './state.js';
import { word } from './words.js';

const ADDRESS = 'fetch-by-reference';
const KINDS = ['pay_code', 'settlement_number', 'decision', 'biz_code'];
// What the answer to a form of five entries says of itself, said of this one.
const WORDS = { typedNotFound: 'askNotFound', typedPending: 'askPending', typedRefused: 'askRefused' };

// The form, closed; `isOver` says whether its place has gone meanwhile.
export function referencePart(isOver) {
  const summary = worded('summary', {}, 'ask');
  if (!canAsk()) return make('details', { id: 'ask' }, summary, worded('p', {}, 'askOffline'));
  const form = make(
    'form',
    { id: 'ask-form', class: 'form', autocomplete: 'off' },
    worded('p', {}, 'askLead'),
    field('unit_code', { maxlength: 40, pattern: '[0-9A-Z]{18}', autocapitalize: 'characters' }),
    make('p', {}, worded('label', { for: 'ask-kind' }, 'askKind'), ' ', select()),
    field('reference', { maxlength: 100 }),
    field('instalment', { maxlength: 4, inputmode: 'numeric', pattern: '[0-9]{1,4}', required: false }),
    field('last_four', { maxlength: 10, pattern: '[0-9A-Z]{4}', autocapitalize: 'characters' }),
    field('date', { type: 'date' }),
    field('total', { maxlength: 30, inputmode: 'decimal', pattern: '-?[0-9]+(\\.[0-9]{1,2})?' }),
    make('p', { id: 'ask-note', role: 'status' }),
    make('p', {}, worded('button', { type: 'submit' }, 'askSend')),
  );
  shows(form, 'instalment', false);
  for (const name of ['date', 'total']) shows(form, name, false);
  form.addEventListener('change', (event) => changed(form, event.target));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send(form, isOver);
  });
  return make('details', { id: 'ask' }, summary, form);
}

// An element whose text is a word, and stays one when the language changes.
function worded(tag, attributes, name) {
  return make(tag, Object.assign({ 'data-word': name }, attributes), word(state.language, name));
}

function field(name, attributes) {
  const id = `ask-${name}`;
  const input = make('input', Object.assign({ id, name, spellcheck: 'false', required: true }, attributes));
  return make('p', {}, worded('label', { for: id }, `ask_${name}`), ' ', input);
}

function select() {
  const options = KINDS.map((kind) => worded('option', { value: kind }, `ask_${kind}`));
  return make('select', { id: 'ask-kind', name: 'kind' }, ...options);
}

// Shows a field, or takes it away: then it need not be filled in, and is not sent.
function shows(form, name, isShown) {
  const input = form.elements[name];
  input.disabled = !isShown;
  input.parentNode.hidden = !isShown;
}

// What fingers and input methods add is taken away, as in the form of five entries. A decision's number is a text of the unit's own: it stays.
function changed(form, input) {
  if (input.name === 'kind') shows(form, 'instalment', input.value === 'decision');
  if (input.name === 'kind' || input.type === 'date') return;
  const isText = input.name === 'reference' && form.elements.kind.value === 'decision';
  const text = isText ? input.value.trim() : input.value.normalize('NFKC').replace(/\s+/g, '');
  if (input.name === 'total') input.value = text.replace(/[,¥元]/g, '');
  else input.value = ['unit_code', 'last_four'].includes(input.name) ? text.toUpperCase() : text;
}

function fields(form) {
  const sent = {};
  for (const input of form.elements) if (input.name && !input.disabled) sent[input.name] = input.value;
  return sent;
}

// Asks; what is typed meanwhile is asked about the next time. Whoever waits for a place in line can send something else.
async function send(form, isPlaceGone) {
  const button = form.querySelector('button');
  if (button.getAttribute('aria-disabled')) return;
  const asked = state.asked;
  const sent = fields(form);
  form.sent = sent;
  const isOver = () => isPlaceGone() || asked !== state.asked || form.sent !== sent;
  const says = (name, values) => {
    const note = at('ask-note');
    if (!isOver() && note) note.textContent = word(state.language, name, values);
  };
  const waits = (seconds) => {
    button.removeAttribute('aria-disabled');
    says('typedWaits', { seconds });
  };
  button.setAttribute('aria-disabled', 'true');
  says('askAsking');
  const answer = await askAt(ADDRESS, sent, { isOver, waits });
  const given = answer.download && !isOver() ? await bytesOfDownload(answer.download) : answer;
  if (form.sent === sent) button.removeAttribute('aria-disabled');
  if (isOver()) return;
  if (given.bytes) await judgeBundle(word(state.language, 'askName'), given.bytes, { address: ADDRESS, sent, fits: fitting(sent) });
  else if (given.fields) more(form, given.fields, says);
  else says(WORDS[given.name] || given.name, given.values);
}

// Others have tried for this payment: date and amount are asked for, too. Fields that were there when the form was sent are marked as wrong already:
// new ones take their place.
function more(form, names, says) {
  const known = names.filter((name) => ['date', 'total'].includes(name));
  for (const name of known) {
    form.elements[name].replaceWith(form.elements[name].cloneNode());
    shows(form, name, true);
  }
  says(known.length ? 'askMore' : 'typedFailed');
  if (known.length) form.elements[known[0]].focus();
}
