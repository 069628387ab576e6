// The page: takes what somebody chooses, and hands it on. No file and no code is sent anywhere.

import { codeOf, takeFragment } from './address.js';
import { startCamera, stopCamera } from './camera.js';
import { minutesAhead } from './clock.js';
import { judgeAgain, judgeCode, judgeFile, judgeNow, judgeTyped, sayProblem } from './judge.js';
import { extras, loadParts } from './parts.js';
import { canAsk } from './refresh.js';
import { render, renderClock, renderResult } from './result.js';
import { replace } from './show.js';
import { at, state } from './state.js';
import { tidy } from './tidy.js';
import { blockOf, load, verdictOf } from './verifier.js';
import { LANGUAGES, word } from './words.js';

const ANY_TIME_MS = 1600000000000;
const inWechat = /MicroMessenger/i.test(navigator.userAgent);

function unable() {
  at('choose').hidden = true;
  state.isUnable = true;
  state.message = null;
  replace(at('first'));
  at('unable').hidden = false;
  // Where a server answers it, the form is what is left; it needs no script.
  at('typed').hidden = !at('elements').hasAttribute('action');
  at('typed').open = true;
  document.querySelector('[data-word=siteFile]').hidden = true;
  at('unable-wechat').hidden = !inWechat;
  render();
}

async function start() {
  try {
    const verifier = await load('verify');
    // The verdict on nothing says against which chain it is, at any time.
    const nothing = verdictOf(verifier, { at_ms: ANY_TIME_MS }, new Uint8Array(0));
    state.chain = nothing.chain;
    at('specimen').hidden = !(nothing.chain && nothing.chain.test);
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
at('typed').hidden = false;
at('wechat').hidden = !inWechat;
render();
state.ready = start();
minutesAhead().then((minutes) => {
  state.minutesAhead = minutes;
  renderClock();
});

// A code that was opened with this page, or, while it is open, with a link to it. In a browser that cannot judge, it stays in the address:
// another one is to open it.
async function judgeAddress() {
  const digits = (await state.ready) && takeFragment();
  if (digits) judgeCode(codeOf(digits));
}

// By nothing no code is judged: then there is none to bring.
async function offerCodes() {
  const isOffered = canAsk() || Boolean(await blockOf('units'));
  at('scan').hidden = !isOffered;
  at('pasted').hidden = !isOffered;
}

offerCodes();
judgeAddress();
window.addEventListener('hashchange', judgeAddress);

at('language').addEventListener('click', () => {
  state.language = LANGUAGES[(LANGUAGES.indexOf(state.language) + 1) % LANGUAGES.length];
  render();
});
at('file').addEventListener('change', (event) => {
  const file = event.target.files[0];
  if (file) judgeFile(file);
  // The same file, chosen again, is judged again.
  event.target.value = '';
});
at('scan').addEventListener('click', () => startCamera(judgeCode));
at('paste').addEventListener('submit', (event) => {
  event.preventDefault();
  // No code has white space in it; mail and messengers put some there.
  const text = at('text').value.replace(/\s+/g, '');
  at('text').value = text;
  if (!text) at('text').focus();
  else judgeCode(/^[0-9]+$/.test(text) ? codeOf(text) : text);
});
at('camera-stop').addEventListener('click', () => {
  stopCamera();
  at('scan').focus();
});
at('photo').addEventListener('change', (event) => {
  const file = event.target.files[0];
  if (file) judgeFile(file);
  event.target.value = '';
});
// A camera that nobody looks through is off.
document.addEventListener('visibilitychange', () => document.hidden && stopCamera());
window.addEventListener('pagehide', stopCamera);
at('age').addEventListener('change', () => {
  state.ageSecondsMax = at('age').value ? Number(at('age').value) : null;
  judgeAgain();
});
at('rest').addEventListener('click', (event) => {
  if (event.target.id === 'refresh') judgeNow();
});
at('elements').addEventListener('change', (event) => tidy(event.target));
at('elements').addEventListener('submit', (event) => {
  // Without the verifier the browser sends the form, and shows what the server says.
  if (state.isUnable) return;
  event.preventDefault();
  judgeTyped();
});
// What is in the second script. Whether it came is said beside the control.
document.addEventListener('click', async (event) => {
  const control = event.target;
  const name = control.getAttribute('data-part');
  if (!name) return;
  const { asked } = state;
  const missing = await loadParts().then(
    () => '',
    () => word(state.language, 'partMissing'),
  );
  // The page may have been drawn anew since, or something else have been chosen.
  const there = document.querySelector(`[data-part=${name}]`);
  if (asked !== state.asked || !there) return;
  const said = there.parentNode.querySelector('[role]');
  said.textContent = missing;
  if (missing) said.scrollIntoView({ block: 'nearest' });
  else extras[name](there);
});
for (const name of ['dragover', 'drop']) {
  // Anywhere on the page: beside the frame a browser would open the file and leave the page.
  document.addEventListener(name, (event) => {
    event.preventDefault();
    if (event.type === 'drop' && event.dataTransfer.files[0]) judgeFile(event.dataTransfer.files[0]);
    at('drop').classList.toggle('over', event.type === 'dragover');
  });
}
document.addEventListener('dragleave', () => at('drop').classList.remove('over'));
