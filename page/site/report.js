// Reporting that the ledger leaves out a receipt whose promised time is over: a file of what the unit signed and what validators signed after
// that time (docs/spec/left-out.md), made by the module for codes of the code and the ledger's answer that are judged here. It has nothing of the
// content, and is sent nowhere: its reader is somebody whom the holder chooses.

import { hosts } from './address.js';
import { save, savesNothing } from './save.js';
import { state } from './state.js';
import { encoded, put, renew, taken } from './verifier.js';
import { word } from './words.js';

const REPORT = '{"format":"tallystick/left-out/';
const FILE = 'left-out.tally';

// Reports the receipt of the code that is shown; what became of it is said beside the control.
export async function report(control) {
  const said = control.parentNode.querySelector('[role]');
  said.textContent = word(state.language, await reported(state.question), { name: FILE });
  said.scrollIntoView({ block: 'nearest' });
}

async function reported({ verifier, options, directory, code, ledger }) {
  if (savesNothing()) return 'reportWechat';
  const asked = Object.assign({ hosts: hosts() }, options);
  const parts = [encoded(JSON.stringify(asked)), verifier.trust, directory, encoded(code)];
  try {
    put(verifier, [...parts, ledger]);
    const answer = taken(verifier, verifier.exports.tallystick_report_left_out(...parts.map((part) => part.length)));
    if (!new TextDecoder().decode(answer).startsWith(REPORT)) return 'reportFailed';
    save(FILE, [answer]);
    return 'reportDone';
  } catch (error) {
    await renew(verifier);
    return 'reportFailed';
  }
}
