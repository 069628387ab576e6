// Sharing less: the holder of a receipt picks what others get to see, looks at it as they will, and takes it as a file. It is made by a module of
// receipt-core, and judged by the one that judges all files; nothing is sent anywhere.

import { presentation, rowOf } from './presentation.js';
import { save, savesNothing } from './save.js';
import { make, replace } from './show.js';
import { at, state } from './state.js';
import { checks, comparison, content, firstWords, notices } from './verdict.js';
import { encoded, load, put, questionOf, renew, taken, verdictOf } from './verifier.js';
import { word } from './words.js';

// Of nobody and nothing: the number of a receipt would say whose it is to who knows it.
const FILE_NAME = 'receipt-part.tally';
// So many rows are seen without opening them.
const ROWS_OPEN_MAX = 20;
const LISTS = { items: 'items', aux_items: 'auxItems' };

// What is picked of a receipt: the key of its state and its bytes, so that it stays when the page is drawn anew, the module that makes parts of it, and the list, while that
// `isOpen`. `made`: the presentation, or null; `seen`: whether its preview is open.
const nothing = () => ({ key: null, bundle: null, maker: null, isOpen: false, list: null, picked: new Set(), made: null, seen: false });
let own = nothing();
let loading = null;

// Opens or closes the list of what can be picked from the receipt that is shown.
export async function share() {
  const { bytes, verifier } = state.question;
  const maker = await makerFor(verifier).catch(() => null);
  // Something else may have been chosen since.
  if (!state.question || state.question.bytes !== bytes) return;
  if (!maker) {
    document.querySelector('#extra [role]').textContent = word(state.language, 'partMissing');
    return;
  }
  if (!isOwn(state.question)) own = Object.assign(nothing(), { key: keyOf(state.question), bundle: bytes, maker });
  own.isOpen = !own.isOpen;
  shareDrawn();
  if (own.isOpen) at('share-title').focus();
}

// Puts the list where it was, after the page was drawn anew. What was picked from another receipt is forgotten.
export function shareDrawn() {
  const control = document.querySelector('[data-part=share]');
  if (!control || !isOwn(state.question)) {
    own = nothing();
    mark();
    return;
  }
  const before = own.list;
  if (before) before.remove();
  control.setAttribute('aria-expanded', String(own.isOpen));
  own.list = own.isOpen ? list(state.question, state.language) : null;
  mark();
  if (!own.list) return;
  control.parentNode.after(own.list);
  // What is open stays open.
  const open = before ? before.querySelectorAll('details[open]') : [];
  for (const part of open) if (at(part.id)) at(part.id).open = true;
}

// Whether this is the receipt that somebody picks from. In a newer state it is another file: what is picked stays, what was made of the older is gone.
function isOwn(question) {
  if (own.bundle === question.bytes) return true;
  if (!own.bundle || own.key !== keyOf(question)) return false;
  Object.assign(own, { bundle: question.bytes, made: null, seen: false });
  return true;
}

function keyOf({ verifier, bytes }) {
  return questionOf(verifier, bytes).status_key;
}

// Whoever prints while a preview is open prints that, and not the receipt.
function mark() {
  document.body.classList.toggle('previewing', own.isOpen && own.seen);
}

// The page on a disk has one module for everything. One that could not be fetched is asked for again the next time.
async function makerFor(verifier) {
  if (!at('sharing')) return verifier;
  loading =
    loading ||
    load('sharing').catch((error) => {
      loading = null;
      throw error;
    });
  return loading;
}

function list({ verifier }, language) {
  const { bundle, maker } = own;
  const part = make('section', { id: 'share', 'aria-labelledby': 'share-title' });
  const says = make('p', { id: 'share-says', role: 'status' });
  const title = make('h3', { id: 'share-title', tabindex: -1 }, word(language, 'share'));
  const found = attempt(maker, language, () => answerOf(maker, 'tallystick_choices', [maker.trust, bundle]));
  if (!found.fields) {
    says.textContent = found.said;
    replace(part, title, says);
    return part;
  }
  const { fields } = found;
  const see = make('button', { type: 'button', id: 'share-see' }, word(language, 'shareSee'));
  const preview = make('div', { class: 'seen' });
  const cannot = savesNothing() ? [make('p', { class: 'notice' }, word(language, 'shareWechat'))] : [];
  const lead = ['shareLead', 'shareAlways', 'shareNever', 'shareTwo'].map((name) => make('p', {}, word(language, name)));
  replace(part, title, ...cannot, ...lead, ...groups(fields, language), says, make('p', {}, see), preview);

  const tell = () => {
    markAll(part);
    const made = attempt(maker, language, () => presented(maker, bundle, fields));
    own.made = made.bytes || null;
    see.disabled = !own.made;
    says.className = own.made ? '' : 'notice';
    says.textContent = own.made ? counts(fields, language) : made.said;
  };
  const look = () => {
    const seen = attempt(verifier, language, () => ({ section: section(verifier, language) }));
    own.seen = Boolean(seen.section);
    if (seen.section) replace(preview, seen.section);
    else says.textContent = seen.said;
    mark();
  };
  part.addEventListener('change', (event) => {
    choose(event.target, fields);
    own.seen = false;
    mark();
    replace(preview);
    tell();
  });
  see.addEventListener('click', () => {
    look();
    if (own.seen) preview.querySelector('h3').focus();
  });
  tell();
  if (own.seen && own.made) look();
  return part;
}

// Fields, then rows by list, then fields that are empty.
function groups(fields, language) {
  const box = (field) => choice(field.code, field[language], field.value[language], field.always);
  const named = fields.filter((field) => !rowOf(field.code));
  const empty = named.filter((field) => field.empty && !field.always);
  const filled = named.filter((field) => !empty.includes(field));
  const parts = [group(word(language, 'shareFields'), filled.map(box))];
  for (const list of Object.keys(LISTS)) {
    const rows = fields.filter((field) => isOf(list, field));
    if (!rows.length) continue;
    const count = word(language, 'shareAll', { count: rows.length });
    const boxes = rows.map(box);
    const each = boxes.length > ROWS_OPEN_MAX ? [folded(`share-${list}`, word(language, 'shareRows'), boxes)] : boxes;
    parts.push(group(word(language, LISTS[list]), [choice(list, count, '', false), ...each]));
  }
  if (empty.length) parts.push(folded('share-empty', word(language, 'shareEmpty', { count: empty.length }), empty.map(box)));
  return parts;
}

function isOf(list, field) {
  const at = rowOf(field.code);
  return Boolean(at) && at.list === list;
}

function group(title, boxes) {
  return make('fieldset', {}, make('legend', {}, title), ...boxes);
}

function folded(id, title, boxes) {
  return make('details', { id }, make('summary', {}, title), ...boxes);
}

function choice(name, label, value, isAlways) {
  const isPicked = isAlways || own.picked.has(name);
  const box = make('input', { type: 'checkbox', name, checked: isPicked, disabled: isAlways });
  return make('label', {}, box, make('span', {}, make('b', {}, label), ' ', content('span', value)));
}

// Takes in that somebody ticked a box: of a value, or of all rows of a list.
function choose(box, fields) {
  const meant = LISTS[box.name] ? fields.filter((field) => isOf(box.name, field)).map((field) => field.code) : [box.name];
  for (const name of meant) {
    if (box.checked) own.picked.add(name);
    else own.picked.delete(name);
  }
}

// Sets the boxes of rows by what is picked, and the box of all by those.
function markAll(part) {
  for (const list of Object.keys(LISTS)) {
    const all = part.querySelector(`input[name=${list}]`);
    if (!all) continue;
    const rows = Array.from(part.querySelectorAll(`input[name^="${list}["]`));
    for (const row of rows) row.checked = own.picked.has(row.name);
    const picked = rows.filter((row) => row.checked).length;
    all.checked = picked === rows.length;
    all.indeterminate = picked > 0 && picked < rows.length;
  }
}

function counts(fields, language) {
  const shown = fields.filter((field) => field.always || own.picked.has(field.code)).length;
  // And the check code, which is not among them.
  return word(language, 'shareCounts', { shown, withheld: fields.length + 1 - shown });
}

// { bytes } of the presentation of what is picked, or { problem } with the words of what to mend, if the library has any.
function presented(maker, bundle, fields) {
  const picked = fields.map((field) => field.code).filter((code) => own.picked.has(code));
  return answerOf(maker, 'tallystick_share', [encoded(JSON.stringify(picked)), bundle]);
}

// What somebody else sees who opens the file, and the file.
function section(verifier, language) {
  const verdict = verdictOf(verifier, { at_ms: Date.now(), clock: true }, own.made);
  const seen = [
    firstWords(verdict, language),
    ...notices(verdict, language),
    ...comparison(verdict, language),
    ...(verdict.presentation ? [presentation({ verdict, language })] : []),
    ...checks(verdict, language),
  ];
  for (const element of seen) setApart(element);
  return make(
    'section',
    { class: 'preview', 'aria-labelledby': 'preview' },
    make('h3', { id: 'preview', tabindex: -1 }, word(language, 'shareSeen')),
    ...file(language),
    ...seen,
  );
}

// Names of elements stand for one thing in a document; those of the page's own verdict are taken.
function setApart(element) {
  for (const named of [element, ...element.querySelectorAll('[id], [aria-labelledby]')]) {
    for (const attribute of ['id', 'aria-labelledby']) {
      if (named.hasAttribute(attribute)) named.setAttribute(attribute, `preview-${named.getAttribute(attribute)}`);
    }
  }
}

function file(language) {
  if (savesNothing()) return [];
  const { made } = own;
  const button = make('button', { type: 'button', id: 'share-save' }, word(language, 'shareSave'));
  button.addEventListener('click', () => save(FILE_NAME, [made]));
  return [make('p', {}, button), make('p', {}, word(language, 'shareGive', { name: FILE_NAME }))];
}

// What a module answers: { bytes } of a file that it made, or what it says as JSON.
function answerOf(module, question, parts) {
  put(module, parts);
  const bytes = taken(module, module.exports[question](parts[0].length));
  const text = new TextDecoder().decode(bytes);
  return text.startsWith('{"format"') ? { bytes } : JSON.parse(text);
}

// What comes of it, or { said }: why nothing does.
function attempt(module, language, what) {
  try {
    const found = what();
    return found.problem ? { said: found[language] || word(language, 'shareUnfit') } : found;
  } catch (error) {
    // For the next question a new one; this one stopped in the middle of something.
    renew(module);
    return { said: word(language, 'trapped') };
  }
}
