/** Facts that wait for each other (`gatherMs` of their contract) and leave as one write, in the order told. */
import type { MsgHdrs, NatsConnection } from '@nats-io/nats-core'

/** So many go at once. */
const MOST = 512

export interface ToldFact {
  readonly subject: string
  readonly text: string
  readonly headers: MsgHdrs
}

export class Gatherer {
  readonly #nc: NatsConnection
  #waiting: ToldFact[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(nc: NatsConnection) {
    this.#nc = nc
  }

  /** Sent within `ms`. */
  add(fact: ToldFact, ms: number): void {
    this.#waiting.push(fact)
    if (this.#waiting.length >= MOST) this.send()
    else this.#timer ??= setTimeout(() => this.send(), ms)
  }

  /** Everything that waits, now. */
  send(): void {
    if (this.#waiting.length === 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    const facts = this.#waiting
    this.#waiting = []
    // A connection that went meanwhile keeps them for its return, as it keeps all that is published.
    if (!this.#nc.isClosed())
      for (const { subject, text, headers } of facts) this.#nc.publish(subject, text, { headers })
  }
}
