// What is seen below the choice: a verdict, or what is said instead of one.

import { face } from './face.js';
import { extras, loadParts } from './parts.js';
import { canAsk } from './refresh.js';
import { make, replace } from './show.js';
import { at, state } from './state.js';
import { checks, comparison, firstWords, notices } from './verdict.js';
import { isKnown, word } from './words.js';

// Results of which the ledger may say something else, or more; and codes of results of which it mostly has nothing to say.
const PASSING = ['in_force', 'too_old', 'signed'];
const PASSING_CODES = ['KEY_REVOKED', 'DIRECTORY_OLD'];
const EXTRAS = ['keep', 'share'];
const FRAME_WAIT_MS = 100;
// In what a difference of two clocks is told, and how many minutes one has.
const UNITS = [
  ['days', 1440],
  ['hours', 60],
  ['minutes', 1],
];

// The drawing of what stands below the first words, while it is due.
let due = null;

// The whole page, in the language of the state.
export function render() {
  const language = state.language;
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  document.title = word(language, 'title');
  for (const element of document.querySelectorAll('[data-word]')) {
    element.textContent = word(language, element.getAttribute('data-word'));
  }
  at('typed-lead').textContent = word(language, typedLead());
  const other = language === 'zh' ? ['en', 'English'] : ['zh-CN', '中文'];
  at('language').lang = other[0];
  at('language').textContent = other[1];
  renderClock();
  renderResult();
}

// What becomes of typed entries: judged here, looked up by the site alone, or nothing.
function typedLead() {
  if (!at('elements').hasAttribute('action')) return 'typedOffline';
  return state.isUnable ? 'typedPlain' : 'typedLead';
}

// Whether the device's clock can be believed.
export function renderClock() {
  const { language, minutesAhead } = state;
  const name = minutesAhead > 0 ? 'clockAhead' : 'clockBehind';
  const minutes = Math.abs(minutesAhead);
  const [unit, length] = UNITS.find(([, length]) => minutes >= 2 * length) || UNITS[2];
  const apart = word(language, unit, { count: Math.round(minutes / length) });
  at('clock').hidden = minutesAhead === 0;
  at('clock').textContent = minutesAhead ? word(language, name, { apart }) : '';
}

// What was judged or said last.
export function renderResult() {
  const open = openParts();
  renderFirst();
  renderRest(open);
}

function renderFirst() {
  const { language, verdict, message } = state;
  if (message) {
    const text = word(language, message.name, message.values);
    replace(at('first'), make('h2', { id: 'word', tabindex: -1, class: 'message' }, text));
  } else if (verdict) replace(at('first'), firstWords(verdict, language));
  if (state.chain) renderAbout();
}

function renderRest(open) {
  due = null;
  at('rest').removeAttribute('aria-busy');
  if (state.message) replace(at('rest'));
  else if (state.verdict) replace(at('rest'), ...rest(open));
  for (const id of open) if (at(id)) at(id).open = true;
  extras.drawn();
}

// Says something instead of a verdict: a word of the page, and its values. One of the second script is fetched first, unless something else is asked
// for meanwhile.
export function say(name, values) {
  const { asked } = state;
  const said = (name) => asked === state.asked && show({ message: { name, values } });
  if (isKnown(name)) said(name);
  else loadParts().then(() => said(name), () => said('partMissing'));
}

// Shows a verdict on a question: verifier, options, and a bundle's name and bytes, or a code. `note`: what became of a refresh.
export function showVerdict(question, verdict, note) {
  show({ question, verdict, note });
}

// Says what becomes of a refresh, beside the verdict that stays.
export function renderNote(name) {
  state.note = name;
  if (!at('note')) return;
  at('note').textContent = word(state.language, name);
  at('note').scrollIntoView({ block: 'nearest' });
}

function show(what) {
  Object.assign(state, { question: null, verdict: null, message: null, note: null }, what);
  const open = openParts();
  renderFirst();
  replace(at('rest'));
  at('rest').setAttribute('aria-busy', 'true');
  extras.shown();
  at('word').focus();
  // The first words are seen and read out before the rest is drawn, which is most of the work. A page that nobody looks at has no frames.
  const drawing = () => due === drawing && renderRest(open);
  due = drawing;
  requestAnimationFrame(() => setTimeout(drawing));
  setTimeout(drawing, FRAME_WAIT_MS);
}

// What is open stays open when the page is drawn anew.
function openParts() {
  return Array.from(document.querySelectorAll('#rest details[open]'), (part) => part.id).filter(Boolean);
}

function rest(open) {
  const { language, verdict, question } = state;
  const name = question.name ? [make('p', { class: 'file' }, word(language, 'file', question))] : [];
  if (!question.bytes) {
    // What was typed is on no code that somebody could have copied.
    const warned = notices(verdict, language, question.source ? 'COMPARE' : '');
    const report = verdict.conclusion.code === 'OVERDUE' ? [extraPart(['report'])] : [];
    return [...name, ...warned, ...refreshPart(), ...report, ...comparison(verdict, language, true), ...checks(verdict, language)];
  }
  const { result } = verdict.conclusion;
  const offered = result === 'unjudged' ? ['keep'] : question.source ? EXTRAS.concat('files') : EXTRAS;
  const parts = [
    ...name,
    ...notices(verdict, language),
    ...(question.attached ? [make('p', { class: 'notice' }, word(language, 'document'))] : []),
    ...refreshPart(),
    // What is not to be accepted is nothing to keep, or to show to others.
    ...(verdict.receipt && result !== 'invalid' ? [extraPart(offered)] : []),
    ...comparison(verdict, language),
  ];
  if (verdict.receipt) parts.push(face(verdict.receipt, verdict.chain.test, language));
  if (verdict.presentation) parts.push(later('presentation'));
  if ((verdict.receipt || verdict.presentation) && verdict.layers[0].result === 'passed') parts.push(proofPart(open.includes('proof')));
  return parts.concat(checks(verdict, language));
}

// Whether the ledger may say something else by now.
export function canChange(verdict) {
  return PASSING.includes(verdict.conclusion.result) || PASSING_CODES.includes(verdict.conclusion.code);
}

// The button itself is `page.js`'s to answer.
function refreshPart() {
  const { language, verdict, question, note } = state;
  const passes = !question.report && canChange(verdict) && canAsk();
  const name = question.code && !question.ledger ? 'askLedger' : 'refresh';
  const button = passes ? [make('button', { type: 'button', id: 'refresh' }, word(language, name))] : [];
  if (!passes && !note) return [];
  return [make('p', {}, ...button, make('span', { id: 'note', role: 'status' }, note ? word(language, note) : ''))];
}

// What the second script does with a receipt, by the names in it.
function extraPart(names) {
  const button = (name) => make('button', { type: 'button', 'data-part': name }, word(state.language, name));
  return make('p', { id: 'extra' }, ...names.map(button), make('span', { role: 'status' }));
}

// What the second script draws of what is shown, in the place that it has when it comes.
function later(name, choose) {
  const known = Object.assign({}, state);
  const part = make('div', {});
  const draw = () => part.replaceChildren(extras[name](known, choose));
  const show = () => loadParts().then(draw, () => part.replaceChildren(word(known.language, 'partMissing')));
  if (extras.ready) draw();
  else show();
  // What could not be fetched is asked for again.
  part.again = () => extras.ready || show();
  return part;
}

// Following a value means judging once more: only for who wants to see it.
function proofPart(isOpen) {
  const part = make('details', { id: 'proof' }, make('summary', {}, word(state.language, 'proof')));
  let proof = null;
  const show = () => {
    if (!proof) {
      proof = later('proof', chooseField);
      part.append(proof);
    } else if (part.open) proof.again();
  };
  if (isOpen) show();
  part.addEventListener('toggle', show);
  return part;
}

function chooseField(field) {
  state.field = field;
  renderResult();
  at('field').focus();
}

function renderAbout() {
  const { language, chain } = state;
  replace(
    at('about'),
    make('p', {}, word(language, 'about', chain)),
    make('p', {}, word(language, 'aboutTrust'), make('code', {}, chain.id)),
  );
}
