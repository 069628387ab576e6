// What fingers and input methods add to digits is taken away: spaces, full-width forms, the sign of the currency.
export function tidy(input) {
  const text = input.value.normalize('NFKC').replace(/\s+/g, '');
  if (input.id === 'check_code') input.value = text.toLowerCase();
  else input.value = input.id === 'total' ? text.replace(/[,¥元]/g, '') : text;
}
