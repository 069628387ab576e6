// The second script's entry: what it offers to the page, by the `data-part` of a control.

import { files, filesDrawn } from './files.js';
import { keep, keepDrawn } from './keep.js';
import { keptDrawn, openKept } from './kept.js';
import { RULES } from './more-style.js';
import { MORE_WORDS } from './more-words.js';
import { extras } from './parts.js';
import { share, shareDrawn } from './pick.js';
import { presentation } from './presentation.js';
import { proof } from './proof.js';
import { report } from './report.js';
import { typed } from './typed.js';
import { learn } from './words.js';

learn(MORE_WORDS);
// A browser's extension may have put a sheet of its own before it.
const { sheet } = document.querySelector('style');
for (const rule of RULES) sheet.insertRule(rule, sheet.cssRules.length);
Object.assign(extras, { ready: true, keep, kept: openKept, share, presentation, proof, report, files, typed, shown: keptDrawn, drawn });

function drawn() {
  keepDrawn();
  keptDrawn();
  shareDrawn();
  filesDrawn();
}
