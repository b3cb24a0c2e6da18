/** The watch over an answered call: a fact a minute, and the end of a call in which nobody is heard any more (E12). */
import type { WheelTimer } from '@tandem/sip/transaction/timer-wheel.ts'
import type { CallParts } from './call-parts.ts'
import type { CallSession } from './call-session.ts'
import { silenceOf } from './leg-silence.ts'

/** A connection of a call is kept for so long beyond the next fact of it, ms. */
const KEEP_MS = 60_000

export class CallWatch {
  readonly #session: CallSession
  readonly #parts: CallParts
  #timer: WheelTimer | undefined
  #dueMs = 0

  constructor(session: CallSession, parts: CallParts) {
    this.#session = session
    this.#parts = parts
  }

  /** call.ts: a fact of each leg this often. */
  get #interimMs(): number {
    return this.#parts.config().edge.interimMs
  }

  begin(): void {
    this.#dueMs = this.#parts.edge.clock.now() + this.#interimMs
    this.#next()
  }

  stop(): void {
    this.#parts.edge.transactions.timers.clear(this.#timer)
  }

  /** Interim facts and the watch for silence, by one timer a call. */
  #next(): void {
    const { clock, transactions } = this.#parts.edge
    for (const { wire } of this.#session.legs) wire.keepUntil(clock.now() + this.#interimMs + KEEP_MS)
    const { inactivityMs } = this.#parts.config().edge.media
    const ms = Math.min(this.#interimMs, Math.max(500, inactivityMs / 4))
    this.#timer = transactions.timers.after(ms, () => {
      if (this.#session.over) return
      if (!this.#parts.held.ours(this.#session.facts.callId)) return this.#next()
      const now = clock.now()
      if (now >= this.#dueMs - 10) this.#tell(now)
      const { legs, facts } = this.#session
      // a call for help may be silent as long as it likes
      const watched = inactivityMs > 0 && !facts.emergency
      const silence = watched ? silenceOf(legs, now, inactivityMs) : undefined
      if (silence === undefined) this.#next()
      else this.#session.end('tandem', { reason: silence })
    })
  }

  #tell(now: number): void {
    this.#dueMs = now + this.#interimMs
    const { legs, facts } = this.#session
    for (const leg of legs) if (!leg.ended) this.#parts.tell.interim(this.#session.factsOf(leg), leg)
    this.#parts.held.changed(facts.callId)
  }
}
