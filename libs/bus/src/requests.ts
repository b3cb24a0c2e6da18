/**
 * Messages that wait for their answer, over one subscription of this connection. (The client's `request` makes an error
 * with its stack for each request that was answered, and JetStream's `publish` stands on it: 15 µs each time.)
 */
import { createInbox, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/nats-core'

export type Reply =
  | { readonly kind: 'reply'; readonly message: Msg }
  /** Nobody is there who could answer: known at once. */
  | { readonly kind: 'nobody' }
  | { readonly kind: 'late' }
  /** The server does not let us ask this. */
  | { readonly kind: 'denied'; readonly why: string }

interface Waiting {
  readonly subject: string
  readonly timer: NodeJS.Timeout
  readonly done: (reply: Reply) => void
}

/** How a server says that nobody listens (NATS protocol, headers). */
const NO_RESPONDERS = 503

export class Requests {
  readonly #nc: NatsConnection
  readonly #inbox: string
  readonly #waiting = new Map<string, Waiting>()
  #last = 0

  /** `prefix`: the only place where this service hears replies. */
  constructor(nc: NatsConnection, prefix: string) {
    this.#nc = nc
    this.#inbox = createInbox(prefix)
    nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error) return
        const nobody = message.data.length === 0 && message.headers?.code === NO_RESPONDERS
        this.#settle(message.subject, nobody ? { kind: 'nobody' } : { kind: 'reply', message })
      },
    })
  }

  /** Never rejects. `timeoutMs` from now. */
  send(subject: string, text: string, headers: MsgHdrs, timeoutMs: number): Promise<Reply> {
    return new Promise((done) => {
      const reply = `${this.#inbox}.${(++this.#last).toString(36)}`
      const timer = setTimeout(() => this.#settle(reply, { kind: 'late' }), timeoutMs)
      this.#waiting.set(reply, { subject, timer, done })
      try {
        this.#nc.publish(subject, text, { headers, reply })
      } catch {
        // the connection is closed
        this.#settle(reply, { kind: 'nobody' })
      }
    })
  }

  /** A permission is missing: who waits for it will hear nothing. */
  denied(subject: string, why: string): void {
    for (const [reply, waiting] of this.#waiting)
      if (waiting.subject === subject) this.#settle(reply, { kind: 'denied', why })
  }

  close(): void {
    for (const reply of [...this.#waiting.keys()]) this.#settle(reply, { kind: 'nobody' })
  }

  #settle(reply: string, outcome: Reply): void {
    const waiting = this.#waiting.get(reply)
    if (waiting === undefined) return
    this.#waiting.delete(reply)
    clearTimeout(waiting.timer)
    waiting.done(outcome)
  }
}
