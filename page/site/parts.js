// What few people need is in a second script, which is fetched when somebody asks for a part of it. The policy knows it by its hash: no other
// text runs. How to add to it: docs/how-to/change-the-page.md.

import { blockBytes, blockOf } from './verifier.js';

// What the second script offers, by the `data-part` of a control, and called with it. `typed` looks up what stands in the form. `shown` is called each time that other first words stand there,
// `drawn` when what is below them does, too; `presentation` and `proof` draw what of a verdict the first script does not.
export const extras = { shown() {}, drawn() {} };

let loading = null;
let policy = null;

// Resolves when the parts are there. A script that could not be fetched is asked for again the next time.
export function loadParts() {
  loading =
    loading ||
    load().catch((error) => {
      loading = null;
      throw error;
    });
  return loading;
}

async function load() {
  const block = await blockOf('more');
  const text = block.textContent || new TextDecoder().decode(await blockBytes(block));
  const script = document.createElement('script');
  const types = window.trustedTypes;
  // Whatever passes here, the policy compares its hash.
  policy = policy || (types && types.createPolicy('more', { createScript: (text) => text }));
  script.text = policy ? policy.createScript(text) : text;
  document.head.appendChild(script);
  if (!extras.ready) throw new Error('more');
}
