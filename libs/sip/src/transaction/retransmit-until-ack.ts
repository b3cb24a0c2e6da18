/**
 * The user's part of a 2xx to INVITE (RFC 3261 13.3.1.4, RFC 6026 8.1): it is sent again at T1, 2*T1 … T2 over any
 * transport until its ACK comes, for 64*T1 at most.
 */
import type { Clockwork } from './clockwork.ts'
import type { TimerListener, TimerWheel, WheelTimer } from './timer-wheel.ts'

export interface RetransmitUntilAckParts {
  readonly timers: TimerWheel
  readonly times: Pick<Clockwork, 't1' | 't2'>
  /** Sends the same 2xx once more. */
  readonly send: () => void
  /** RFC 3261 13.3.1.4: no ACK in 64*T1; "the session SHOULD be terminated" with a BYE. */
  readonly onGiveUp: () => void
}

/** Starts at once; the first sending of the 2xx is the caller's. Ends with `stop()` (the ACK came) or gives up. */
export class RetransmitUntilAck implements TimerListener {
  readonly #parts: RetransmitUntilAckParts
  #interval: number
  #again: WheelTimer | undefined
  #limit: WheelTimer | undefined

  constructor(parts: RetransmitUntilAckParts) {
    this.#parts = parts
    this.#interval = parts.times.t1
    this.#again = parts.timers.set(this.#interval, this, 'again')
    this.#limit = parts.timers.set(64 * parts.times.t1, this, 'limit')
  }

  /** True until the ACK came or 64*T1 passed. */
  get waiting(): boolean {
    return this.#limit !== undefined
  }

  /** The ACK is here, or the call is over. Harmless when called twice. */
  stop(): void {
    this.#parts.timers.clear(this.#again)
    this.#parts.timers.clear(this.#limit)
    this.#again = undefined
    this.#limit = undefined
  }

  fired(name: string): void {
    if (name === 'limit') {
      this.stop()
      this.#parts.onGiveUp()
      return
    }
    this.#interval = Math.min(2 * this.#interval, this.#parts.times.t2)
    this.#again = this.#parts.timers.set(this.#interval, this, 'again')
    this.#parts.send()
  }
}
