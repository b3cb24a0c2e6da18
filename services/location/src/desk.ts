/** Tells the desk of an emergency call by every channel at once, each on its own; nobody waits for it (location.md L16). */
import type { Bus } from '@tandem/bus/bus.ts'
import { SendMessage } from '@tandem/contracts/edge.ts'
import type { EmergencyStartedBody } from '@tandem/contracts/emergency.ts'
import { type Delivery, postToDesk } from './adapters/desk-webhook.ts'
import { deskText } from './domain/emergency-story.ts'

export interface Notice {
  readonly channel: 'sip-message' | 'webhook'
  readonly target: string
  readonly delivered: boolean
  readonly detail: string
  /** ms from the start of telling. */
  readonly afterMs: number
}

export interface Desk {
  /** Comes back when every channel has been told or given up. Never rejects. */
  announce(body: EmergencyStartedBody, targets: readonly string[], told: (notice: Notice) => void): Promise<void>
  stop(): Promise<void>
}

/** One POST, ms. A MESSAGE has the time of its contract. */
const TRY_MS = 3_000
/** Pauses before the second and third try, ms. */
const PAUSES_MS = [1_000, 3_000]

export function createDesk(bus: Bus, pausesMs: readonly number[] = PAUSES_MS, tryMs = TRY_MS): Desk {
  const stopped = new AbortController()
  const running = new Set<Promise<unknown>>()

  async function pause(ms: number): Promise<void> {
    await new Promise<void>((done) => {
      const end = () => {
        clearTimeout(timer)
        stopped.signal.removeEventListener('abort', end)
        done()
      }
      const timer = setTimeout(end, ms)
      stopped.signal.addEventListener('abort', end)
    })
  }

  async function sendMessage(to: string, body: EmergencyStartedBody): Promise<Delivery> {
    const message = { to, contentType: 'text/plain', body: deskText(body) }
    const asked = await bus.ask(SendMessage, message)
    if (asked.kind !== 'answer')
      return { delivered: false, detail: asked.kind === 'refused' ? asked.why : `edge: ${asked.kind}` }
    const { delivered, status, detail } = asked.answer
    return { delivered, detail: detail ?? `SIP ${status}` }
  }

  async function tell(target: string, body: EmergencyStartedBody): Promise<Notice> {
    const channel = /^https?:/i.test(target) ? ('webhook' as const) : ('sip-message' as const)
    const began = performance.now()
    let last: Delivery = { delivered: false, detail: 'stopped' }
    for (let tries = 0; !stopped.signal.aborted; tries++) {
      last =
        channel === 'webhook' ? await postToDesk(target, body, tryMs, stopped.signal) : await sendMessage(target, body)
      const wait = pausesMs[tries]
      if (last.delivered || wait === undefined) break
      await pause(wait)
    }
    return { channel, target, ...last, afterMs: performance.now() - began }
  }

  return {
    async announce(body, targets, told) {
      const all = Promise.all(targets.map(async (target) => told(await tell(target, body))))
      running.add(all)
      await all.finally(() => running.delete(all))
    },
    stop: async () => {
      stopped.abort()
      await Promise.allSettled(running)
    },
  }
}
