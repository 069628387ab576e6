// How the list of kept receipts is drawn. Of each: what it amounts to, with sign and word, how old that is, and by what it is known.

import { make } from './show.js';
import { state } from './state.js';
import { content, sign, wordOf } from './verdict.js';
import { word } from './words.js';

const KNOWN_BY = ['issue_date', 'total_amount'];

const says = (name, values) => word(state.language, name, values);

// The whole list; `acts`: what its controls do.
export function drawList(list, acts) {
  const { rows, isRead, note, run } = list;
  const count = isRead ? says('keptCount', { count: countOf(rows) }) : '';
  return make(
    'section',
    { id: 'kept', 'aria-labelledby': 'kept-title' },
    make('h2', { id: 'kept-title', tabindex: -1 }, says('kept') + count),
    // Of what is not there nothing need be known.
    ...(rows.length ? [make('p', {}, says('keptLead')), ...list.says.map((name) => make('p', { class: 'hint' }, says(name)))] : []),
    make(
      'div',
      { class: 'row' },
      button('keptBack', { id: 'kept-back' }, acts.back),
      ...(rows.length ? ofAll(list, acts, Boolean(run)) : []),
    ),
    make('p', { id: 'kept-note', role: 'status' }, note ? says(note.name, note.values) : isRead && !rows.length ? says('keptNone') : ''),
    make('ul', { class: 'kept' }, ...rows.map((row) => element(row, acts))),
    list.form,
  );
}

function ofAll(list, acts, asks) {
  const isIdle = !asks && !acts.canRefresh();
  const ask = acts.canAsk() ? [button(asks ? 'keptStop' : 'keptRefresh', { id: 'kept-refresh', hidden: isIdle }, acts.refreshAll)] : [];
  const saveAll = acts.savesNothing() ? [] : [button('keptSaveAll', { id: 'kept-save' }, acts.saveAll)];
  const sure = { question: 'keptRemoveAllSure', yes: 'keptRemoveAllYes', count: countOf(list.rows), asks: acts.asks };
  return [...ask, ...saveAll, asked('keptRemoveAll', { id: 'kept-remove' }, sure, acts.removeAll)];
}

// Of those that another window has removed the last state is seen, and no more.
function countOf(rows) {
  return rows.filter((row) => !row.isGone).length;
}

// Draws a row anew where it stands.
export function drawRow(row, acts) {
  const there = row.element;
  const focused = there.contains(document.activeElement) ? document.activeElement.getAttribute('data-act') : null;
  there.replaceWith(element(row, acts));
  const again = focused && row.element.querySelector(`[data-act=${focused}]`);
  if (again) again.focus();
}

function element(row, acts) {
  const { verdict, note, changed } = row;
  const tone = verdict ? verdict.conclusion.tone : 'unknown';
  const code = verdict ? verdict.conclusion.code : undefined;
  row.element = make(
    'li',
    { class: `tone-${tone}`, 'data-code': code },
    ...words(row, acts),
    ...(changed ? [make('p', {}, make('b', {}, says('keptChanged')))] : []),
    make('p', { role: 'status' }, note ? says(note) : ''),
    ...(verdict || row.isUndated ? [controls(row, acts)] : []),
  );
  return row.element;
}

// By an impossible clock there is no verdict: it is known by its name alone, and can be saved and removed.
function words(row, acts) {
  if (row.verdict) return said(row, acts);
  if (!row.isUndated) return [make('p', {}, says('judging'))];
  return [make('p', {}, sign('unknown'), make('strong', {}, says('keptUndated'))), make('p', { class: 'file' }, acts.nameOf(row))];
}

function said(row, acts) {
  const { verdict } = row;
  const { conclusion, as_of: asOf, compare } = verdict;
  const valueOf = (code) => (compare || []).find((value) => value.code === code);
  const unit = valueOf('unit_name');
  const values = KNOWN_BY.map(valueOf).filter(Boolean);
  return [
    make('p', {}, sign(conclusion.tone), make('strong', {}, wordOf(verdict, state.language))),
    ...(asOf ? [make('p', { class: 'as-of' }, asOf[state.language])] : []),
    ...(unit ? [content('p', unit.value, { class: 'unit' })] : []),
    ...values.map((value) => make('p', {}, `${value[state.language]} ${value.value}`)),
    make('p', { class: 'file' }, acts.nameOf(row)),
  ];
}

function controls(row, acts) {
  const of = (name, act, what) => button(name, { 'data-act': act, 'aria-label': `${says(name)} ${acts.nameOf(row)}` }, what);
  const sure = { question: 'keptRemoveSure', yes: 'keptRemoveYes', asks: acts.asks };
  const remove = { 'data-act': 'remove', 'aria-label': `${says('keptRemove')} ${acts.nameOf(row)}` };
  const withBytes = row.bytes ? [of('keptOpen', 'open', () => acts.open(row))] : [];
  if (row.bytes && !acts.savesNothing()) withBytes.push(of('keptSave', 'save', () => acts.saveOne(row)));
  if (row.isGone) return make('div', { class: 'row' }, ...withBytes);
  return make('div', { class: 'row' }, ...withBytes, asked('keptRemove', remove, sure, () => acts.removeOne(row)));
}

function button(name, attributes, act) {
  const control = make('button', Object.assign({ type: 'button' }, attributes), says(name));
  control.addEventListener('click', act);
  return control;
}

// A control that asks once more, in its place, before it does what cannot be taken back. `asks`: called when it does.
function asked(name, attributes, { question, yes, count, asks }, act) {
  const place = make('span', { class: 'row' });
  const first = button(name, attributes, () => {
    asks();
    const no = button('keptNo', {}, () => {
      place.replaceChildren(first);
      first.focus();
    });
    place.replaceChildren(make('b', { role: 'alert' }, says(question, { count })), button(yes, { class: 'sure' }, act), no);
    no.focus();
  });
  place.appendChild(first);
  return place;
}
