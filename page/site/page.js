// The page: takes a file, has it judged, shows the verdict. Nothing is sent anywhere.

import { face } from './face.js';
import { proof } from './proof.js';
import { make, replace } from './show.js';
import { checks, comparison, firstWords, notices } from './verdict.js';
import { fileBytesMax, load, renew, shown, traceOf, verdictOf } from './verifier.js';
import { LANGUAGES, word } from './words.js';

const at = (id) => document.getElementById(id);
const state = {
  language: 'zh',
  verifier: null,
  // What this page judges by: id and name.
  chain: null,
  // Files chosen so far.
  asked: 0,
  // The file, and the options that it was judged with.
  question: null,
  verdict: null,
  // What is said instead of a verdict: a word, and its values.
  message: null,
  // The value whose way to the checkpoint is shown.
  field: 'total_amount',
};
const ANY_TIME_MS = 1600000000000;
const inWechat = /MicroMessenger/i.test(navigator.userAgent);

// What is open stays open when the page is drawn anew.
function openParts() {
  return Array.from(document.querySelectorAll('#rest details[open]'), (part) => part.id).filter(Boolean);
}

function render() {
  const language = state.language;
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  document.title = word(language, 'title');
  for (const element of document.querySelectorAll('[data-word]')) {
    element.textContent = word(language, element.getAttribute('data-word'));
  }
  const other = language === 'zh' ? ['en', 'English'] : ['zh-CN', '中文'];
  at('language').lang = other[0];
  at('language').textContent = other[1];
  renderResult();
}

function renderResult() {
  const { language, verdict, message } = state;
  const open = openParts();
  if (message) {
    const text = word(language, message.name, message.values);
    replace(at('first'), make('h2', { id: 'word', tabindex: -1, class: 'message' }, text));
    replace(at('rest'));
  } else if (verdict) {
    replace(at('first'), firstWords(verdict, language));
    replace(at('rest'), ...rest(open));
    for (const id of open) if (at(id)) at(id).open = true;
  }
  if (state.verifier && state.chain) renderAbout();
}

function rest(open) {
  const { language, verdict, question } = state;
  const parts = [
    make('p', { class: 'file' }, `${word(language, 'file')}: ${question.name}`),
    ...notices(verdict, language),
    ...comparison(verdict, language),
  ];
  if (verdict.receipt) {
    parts.push(face(verdict.receipt, language));
    if (verdict.layers[0].result === 'passed') parts.push(proofPart(open.includes('proof')));
  }
  return parts.concat(checks(verdict, language));
}

// Following a value means judging once more: only for who wants to see it.
function proofPart(isOpen) {
  const { language, verdict, question } = state;
  const part = make('details', { id: 'proof' }, make('summary', {}, word(language, 'proof')));
  const show = () => {
    const options = Object.assign({ field: state.field }, question.options);
    const trace = traceOf(state.verifier, options, question.bytes);
    if (trace) part.appendChild(proof(trace, verdict.receipt, language, chooseField));
  };
  if (isOpen) show();
  else part.addEventListener('toggle', show, { once: true });
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
    make('p', {}, `${word(language, 'about')}: ${word(language, 'aboutChain', { name: chain.name })}`),
    make('p', {}, `${word(language, 'aboutTrust')}: `, make('code', {}, chain.id)),
  );
}

// Says something instead of a verdict.
function say(name, values) {
  state.verdict = null;
  state.question = null;
  state.message = { name, values };
  renderResult();
  at('word').focus();
}

// Why there is no verdict at all.
function sayProblem(problem, atMs) {
  if (problem === 'TIME') say('clockBad', { time: new Date(atMs).toISOString() });
  else say(problem === 'TRUST' ? 'trustBad' : 'trapped');
}

function readStart(file, bytesMax) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(new Uint8Array(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsArrayBuffer(file.slice(0, bytesMax));
  });
}

async function judge(file) {
  Object.assign(state, { verdict: null, question: null, message: { name: 'judging' }, field: 'total_amount' });
  renderResult();
  const asked = (state.asked += 1);
  const verifier = await ready;
  if (!verifier) return;
  let bytes;
  try {
    bytes = await readStart(file, fileBytesMax(verifier));
  } catch (error) {
    if (asked === state.asked) say('unread', { why: shown(verifier, String(error && error.name)) });
    return;
  }
  // Of several files the last one counts, whichever is read first.
  if (asked === state.asked) await answer(verifier, file.name, bytes);
}

async function answer(verifier, name, bytes) {
  const options = { at_ms: Date.now(), clock: true };
  try {
    const verdict = verdictOf(verifier, options, bytes);
    if (verdict.problem) {
      sayProblem(verdict.problem, options.at_ms);
      return;
    }
    state.question = { name: shown(verifier, name), bytes, options };
    state.verdict = verdict;
    state.message = null;
    renderResult();
    at('word').focus();
  } catch (error) {
    await renew(verifier);
    say('trapped');
  }
}

function unable() {
  at('choose').hidden = true;
  state.message = null;
  replace(at('first'));
  at('unable').hidden = false;
  at('unable-wechat').hidden = !inWechat;
}

async function start() {
  try {
    const verifier = await load();
    // The verdict on nothing says against which chain it is, at any time.
    const nothing = verdictOf(verifier, { at_ms: ANY_TIME_MS }, new Uint8Array(0));
    state.verifier = verifier;
    state.chain = nothing.chain;
    if (nothing.problem) sayProblem(nothing.problem);
    else renderResult();
    return verifier;
  } catch (error) {
    unable();
    return null;
  }
}

at('unable').hidden = true;
at('choose').hidden = false;
at('wechat').hidden = !inWechat;
render();
const ready = start();

at('language').addEventListener('click', () => {
  state.language = LANGUAGES[(LANGUAGES.indexOf(state.language) + 1) % LANGUAGES.length];
  render();
});
at('file').addEventListener('change', (event) => {
  const file = event.target.files[0];
  if (file) judge(file);
  // The same file, chosen again, is judged again.
  event.target.value = '';
});
for (const name of ['dragover', 'drop']) {
  // Anywhere on the page: beside the frame a browser would open the file and leave the page.
  document.addEventListener(name, (event) => {
    event.preventDefault();
    if (event.type === 'drop' && event.dataTransfer.files[0]) judge(event.dataTransfer.files[0]);
    at('drop').classList.toggle('over', event.type === 'dragover');
  });
}
document.addEventListener('dragleave', () => at('drop').classList.remove('over'));
