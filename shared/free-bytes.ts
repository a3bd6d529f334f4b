import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives the memory of a buffer back at once, where V8 would do so when it next looks for garbage. Views of it are empty
 * afterwards. Nobody may be using it: a codec that reads it on another thread, or a socket that still writes it, does not see
 * that it is gone. Shared memory, and a buffer that is a part of a larger one, stay as they are.
 */
export function freeBytes(bytes: Uint8Array): void {
  const { buffer } = bytes;
  const isWhole = bytes.length > 0 && bytes.length === buffer.byteLength;
  if (isWhole && buffer instanceof ArrayBuffer) transfer.call(buffer, 0);
}

/**
 * ArrayBuffer.prototype.transfer of ECMAScript 2024. Node 20 has it behind a flag, which counts for contexts that are made
 * after it was set.
 */
const transfer = findTransfer();

type Transfer = (this: ArrayBuffer, newBytes: number) => unknown;

function findTransfer(): Transfer {
  const name = 'ArrayBuffer.prototype.transfer';
  const own: unknown = Reflect.get(ArrayBuffer.prototype, 'transfer');
  if (isTransfer(own)) return own;
  setFlagsFromString('--harmony-rab-gsab-transfer');
  const found: unknown = runInNewContext(name);
  if (!isTransfer(found)) throw new TypeError(`V8 does not have ${name}`);
  return found;
}

function isTransfer(value: unknown): value is Transfer {
  return typeof value === 'function';
}
