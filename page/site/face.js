// The face of a receipt: what receipt-core reads in a content that the unit has signed. Never evidence by itself.

import { make } from './show.js';
import { content, pair } from './verdict.js';
import { word } from './words.js';

export function face(receipt, isSpecimen, language) {
  const specimen = isSpecimen ? [make('p', { class: 'specimen' }, word(language, 'specimen'))] : [];
  const red = receipt.red ? [make('p', { class: 'red' }, word(language, 'red'))] : [];
  return make(
    'section',
    { class: 'face', 'aria-labelledby': 'face' },
    make('h3', { id: 'face' }, word(language, 'face')),
    ...specimen,
    content('p', receipt.title, { class: 'face-title' }),
    ...red,
    make('dl', {}, ...receipt.lines.map((line) => pair(line[language], line.value[language]))),
    ...rows(word(language, 'items'), receipt.items, receipt.items.length, language),
    ...rows(word(language, 'auxItems'), receipt.aux_items, receipt.aux_count, language),
  );
}

function rows(title, lines, count, language) {
  if (!count) return [];
  const part =
    lines.length < count
      ? [make('p', { class: 'hint' }, word(language, 'shownOf', { shown: lines.length, all: count }))]
      : [];
  const list = make('ul', { class: 'rows' }, ...lines.map((line) => content('li', line)));
  return [make('h4', {}, title), list, ...part];
}
