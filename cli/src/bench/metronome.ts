/** A thread that ticks four times a millisecond: timers know whole milliseconds only. */
import { parentPort } from 'node:worker_threads'

const TICK_MS = 0.25
const nobody = new Int32Array(new SharedArrayBuffer(4))

for (;;) {
  Atomics.wait(nobody, 0, 0, TICK_MS)
  parentPort?.postMessage(0)
}
