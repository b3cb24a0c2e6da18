/** Time under the test's control: timers fire in order when `advance` passes them. */
import type { TimeSource } from '../src/transaction/timer-wheel.ts'

export interface FakeTime extends TimeSource {
  /** Lets `ms` pass. */
  advance(ms: number): void
  /** Timers waiting. */
  readonly waiting: number
}

export function fakeTime(): FakeTime {
  let now = 0
  let next = 0
  const timers = new Map<number, { due: number; fire: () => void }>()
  const earliest = (limit: number) => {
    let found: [number, { due: number; fire: () => void }] | undefined
    for (const entry of timers) if (entry[1].due <= limit && (!found || entry[1].due < found[1].due)) found = entry
    return found
  }
  return {
    now: () => now,
    setTimer(ms, fire) {
      timers.set(++next, { due: now + ms, fire })
      return next
    },
    clearTimer(handle) {
      timers.delete(handle as number)
    },
    advance(ms) {
      const limit = now + ms
      for (let entry = earliest(limit); entry; entry = earliest(limit)) {
        timers.delete(entry[0])
        now = Math.max(now, entry[1].due)
        entry[1].fire()
      }
      now = limit
    },
    get waiting() {
      return timers.size
    },
  }
}
