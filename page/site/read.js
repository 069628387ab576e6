// Reading what somebody chose.

// The beginning of a file.
export function readStart(file, bytesMax) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(new Uint8Array(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsArrayBuffer(file.slice(0, bytesMax));
  });
}
