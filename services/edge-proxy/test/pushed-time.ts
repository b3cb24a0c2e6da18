/** Real time that a test pushes ahead: what is due by then happens at once, the rest that much sooner. */
import type { TimeSource } from '@tandem/sip/transaction/timer-wheel.ts'

export interface PushedTime extends TimeSource {
  push(ms: number): void
}

interface Due {
  readonly at: number
  readonly fire: () => void
  handle: NodeJS.Timeout | undefined
}

export function pushedTime(): PushedTime {
  let ahead = 0
  const due = new Set<Due>()
  const now = () => performance.now() + ahead
  const run = (timer: Due) => {
    clearTimeout(timer.handle)
    if (due.delete(timer)) timer.fire()
  }
  const wait = (timer: Due) => {
    clearTimeout(timer.handle)
    timer.handle = setTimeout(run, Math.max(0, timer.at - now()), timer)
  }
  return {
    now,
    setTimer(ms, fire) {
      const timer: Due = { at: now() + ms, fire, handle: undefined }
      due.add(timer)
      wait(timer)
      return timer
    },
    clearTimer(timer) {
      clearTimeout((timer as Due).handle)
      due.delete(timer as Due)
    },
    push(ms) {
      ahead += ms
      for (const timer of [...due]) {
        if (timer.at <= now()) run(timer)
        else wait(timer)
      }
    },
  }
}
