// Saving bytes as a file.

// Whether this browser keeps files from people that a script has made: WeChat's does.
export function savesNothing() {
  return /MicroMessenger/i.test(navigator.userAgent);
}

// Offers the parts as one file of this name.
export function save(name, parts) {
  const address = URL.createObjectURL(new Blob(parts, { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // Some browsers read it only after a while.
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
