/** Real time. Every timer is owned by the clock: `close` ends those that are left. */
import type { Clock, Timer } from '../edge.ts'

export interface RealClock extends Clock {
  close(): void
}

export function realClock(): RealClock {
  const running = new Set<NodeJS.Timeout>()
  let closed = false
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    setTimer(ms, run): Timer {
      const timer = setTimeout(() => {
        running.delete(timer)
        run()
      }, ms)
      if (closed) clearTimeout(timer)
      else running.add(timer)
      return timer
    },
    clearTimer(timer) {
      clearTimeout(timer as NodeJS.Timeout)
      running.delete(timer as NodeJS.Timeout)
    },
    close() {
      closed = true
      for (const timer of running) clearTimeout(timer)
      running.clear()
    },
  }
}
