// Rules that only the second script needs. The policy takes one stylesheet, by its hash; these are put into it as rules, not as text.

export const RULES = [
  '.kept { padding: 0; list-style: none; }',
  '.kept li { margin: 0.75rem 0; padding: 0.5rem 0.75rem; border-style: solid; border-width: 1px 1px 1px 6px; border-radius: 0.5rem; }',
  '.kept .sign { width: 1.4rem; height: 1.4rem; margin-right: 0.4rem; vertical-align: -0.3rem; }',
  '.kept strong { color: var(--tone); font-size: 1.15rem; }',
  '.kept .unit { font-weight: 600; }',
  '.kept p { margin: 0.2rem 0; }',
  '.row { display: flex; flex-wrap: wrap; gap: 0.5rem; }',
  '@media print { .row, #kept details { display: none; } }',
];
