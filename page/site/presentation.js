// What a presentation shows of a receipt, and what it withholds (docs/spec/verdict.md). Never drawn as a receipt: that is `face.js`.

import { make } from './show.js';
import { content, pair } from './verdict.js';
import { word } from './words.js';

// The words of each list of rows: its heading, and rows of it that are withheld.
const LISTS = { items: ['items', 'itemRows'], aux_items: ['auxItems', 'auxRows'] };

// `verdict`: one that has a presentation.
export function presentation({ verdict, language }) {
  const { lines, withheld } = verdict.presentation;
  const fields = lines.filter((line) => !rowOf(line.code));
  const names = namesOf(withheld, language).map((name) => make('li', {}, name));
  return make(
    'section',
    { class: 'presented', 'aria-labelledby': 'presented' },
    make('h3', { id: 'presented' }, word(language, 'presented')),
    make('dl', {}, ...fields.map((line) => pair(line[language], line.value[language]))),
    ...Object.keys(LISTS).flatMap((list) => table(list, lines, language)),
    make('h3', {}, word(language, 'withheld', { count: withheld.length })),
    make('p', {}, word(language, 'withheldWhy')),
    make('ul', { class: 'withheld' }, ...names),
  );
}

// The list and the number, from 0, of a row's name (`items[0]`); null of a field's.
export function rowOf(code) {
  const found = /^(items|aux_items)\[(\d+)\]$/.exec(code);
  return found && { list: found[1], row: Number(found[2]) };
}

function table(list, lines, language) {
  const rows = lines.map((line) => [rowOf(line.code), line.value[language]]).filter(([at]) => at && at.list === list);
  if (!rows.length) return [];
  const drawn = rows.map(([at, text]) => make('tr', {}, make('th', { scope: 'row' }, String(at.row + 1)), content('td', text)));
  return [make('table', {}, make('caption', {}, word(language, LISTS[list][0])), make('tbody', {}, ...drawn))];
}

// What is withheld by its names; of rows that follow one another, the first and the last.
function namesOf(withheld, language) {
  const names = [];
  let run = null;
  for (const value of withheld) {
    const at = rowOf(value.code);
    if (run && at && at.list === run.list && at.row === run.to) {
      run.to += 1;
      names[names.length - 1] = word(language, LISTS[run.list][1], run);
    } else {
      names.push(value[language]);
      run = at && { list: at.list, from: at.row + 1, to: at.row + 1 };
    }
  }
  return names;
}
