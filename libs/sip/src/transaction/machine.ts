/** What the transactions of a layer share: timers, the bytes on the wire, the counters. */
import type { Clockwork } from './clockwork.ts'
import type { TimerListener, TimerWheel, WheelTimer } from './timer-wheel.ts'
import type { Wire } from './wire.ts'

/** Totals since the layer was made. */
export interface TransactionCounters {
  serverTransactions: number
  clientTransactions: number
  /** Requests received again and absorbed. */
  retransmissionsReceived: number
  /** Requests and responses sent again by timers or because of a retransmission. */
  retransmissionsSent: number
  /** Client transactions without an answer, INVITE server transactions without an ACK. */
  timeouts: number
  transportErrors: number
  /** Responses that match no transaction (dropped, RFC 6026 8.9). */
  strayResponses: number
  /** Requests refused with 482 as merged (RFC 3261 8.2.2.2). */
  mergedRequests: number
  /** Requests refused with 503 because there are too many transactions. */
  overload: number
}

export interface MachineOwner {
  readonly timers: TimerWheel
  readonly counters: TransactionCounters
  clockwork(wire: Wire): Clockwork
}

const NONE: readonly WheelTimer[] = []

export abstract class Machine implements TimerListener {
  readonly wire: Wire
  protected readonly owner: MachineOwner
  #timers: readonly WheelTimer[] = NONE

  constructor(owner: MachineOwner, wire: Wire) {
    this.owner = owner
    this.wire = wire
  }

  abstract fired(name: string): void
  /** Tells the machine that sending failed. */
  abstract transportFailed(): void

  protected get clock(): Clockwork {
    return this.owner.clockwork(this.wire)
  }

  protected setTimer(name: string, ms: number): void {
    const timer = this.owner.timers.set(ms, this, name)
    // fired and cleared ones leave when the next is set: there are never more than three (and push would reserve 17)
    this.#timers = this.#timers.length === 0 ? [timer] : [...this.#timers.filter(({ active }) => active), timer]
  }

  protected clearTimer(name: string): void {
    for (const timer of this.#timers) if (timer.name === name) this.owner.timers.clear(timer)
  }

  protected clearAllTimers(): void {
    for (const timer of this.#timers) this.owner.timers.clear(timer)
    this.#timers = NONE
  }

  protected transmit(bytes: Uint8Array): void {
    try {
      this.wire.send(bytes)
    } catch {
      this.owner.counters.transportErrors++
      // not at once: the user may still be inside the call that sends
      this.owner.timers.after(0, () => this.transportFailed())
    }
  }
}
