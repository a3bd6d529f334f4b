/** Bytes from hexadecimal text, in which spaces set fields apart. */
export function fromHex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}
