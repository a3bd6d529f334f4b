/**
 * Appends to many files at a fixed rate, in a process of its own so that nothing else delays it: FOLDER FILES RATE SECONDS.
 * Append i goes to file i modulo FILES and is due at START + i * interval, whatever became of those before it: one that comes
 * late is written at once, and its latency counts from when it was due. Without that, a program that stalls would stall its
 * own measurement (coordinated omission). Prints START, then the largest delay, as JSON.
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { APPEND_BYTES, appendIntervalMs, fileName, makeAppends, markAppend } from './latency-appends.ts';

const [folder, filesText, rateText, secondsText] = process.argv.slice(2);
if (folder === undefined || secondsText === undefined) throw new Error('usage: FOLDER FILES RATE SECONDS');
const [files, rate, seconds] = [Number(filesText), Number(rateText), Number(secondsText)];

const descriptors = Array.from({ length: files }, (_, i) => openSync(join(folder, fileName(i)), 'a'));
const appends = makeAppends();
const intervalMs = appendIntervalMs(rate);
const count = Math.floor((rate * seconds) / APPEND_BYTES);
const startMs = Date.now() + 500;
process.stdout.write(`${JSON.stringify({ startMs, count })}\n`);
let latestMs = 0;
for (let i = 0; i < count;) {
  const due = Math.min(count, Math.floor((Date.now() - startMs) / intervalMs) + 1);
  for (; i < due; i += 1) {
    const bytes = appends[i % appends.length]!;
    markAppend(bytes, i);
    writeSync(descriptors[i % files]!, bytes);
    if (i % 256 === 0) latestMs = Math.max(latestMs, Date.now() - (startMs + i * intervalMs));
  }
  await delay(1);
}
process.stdout.write(`${JSON.stringify({ latestMs })}\n`);
