/** How long a service does something else than answer, seen from outside. */
import type { Up } from '../up/start-up.ts'

const EVERY_MS = 50
const SOON_MS = 10_000

/** Asks again and again; `stop` gives the longest answer, ms, Infinity when one failed. */
export function probeHealth(url: string): { stop(): Promise<number> } {
  let longest = 0
  let stopped = false
  const ask = async (): Promise<void> => {
    const began = performance.now()
    try {
      const { ok } = await fetch(url, { signal: AbortSignal.timeout(SOON_MS) })
      longest = Math.max(longest, ok ? performance.now() - began : Number.POSITIVE_INFINITY)
    } catch {
      longest = Number.POSITIVE_INFINITY
    }
  }
  const asking = (async () => {
    while (!stopped) {
      await ask()
      await new Promise((done) => setTimeout(done, EVERY_MS))
    }
  })()
  return {
    stop: async () => {
      stopped = true
      await asking
      return longest
    },
  }
}

/**
 * Longest stop of each service's event loop since this was read last, ms. What /metrics tells is taken back by telling it;
 * it is looked at every 100 ms.
 */
export async function readStops(up: Up): Promise<Map<string, number>> {
  const stops = new Map<string, number>()
  await Promise.all(
    up.state().parts.map(async ({ name, health }) => {
      if (health === null) return
      try {
        const text = await (await fetch(`${health}/metrics`, { signal: AbortSignal.timeout(SOON_MS) })).text()
        const seconds = /^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1]
        if (seconds !== undefined) stops.set(name, Number(seconds) * 1000)
      } catch {
        // a service that has ended is told by its supervisor
      }
    }),
  )
  return stops
}
