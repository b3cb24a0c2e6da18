/**
 * Ways to the other edges of the cluster: a datagram socket or one connection to each, opened when it is needed. What is
 * sent while it opens waits; when it cannot be opened or breaks, those that used it are told.
 */
import type { HopAddress } from './domain/own-hop.ts'
import type { Wire, Wires } from './edge.ts'

/** One other edge, as those see it who send to it. */
export interface Hop {
  /** `failed`: these bytes, or what was sent before them, may not have come. */
  send(bytes: Uint8Array, failed: (why: string) => void): void
  keepUntil(ms: number): void
  /** Nobody who gave this `failed` sends any more. */
  forget(failed: (why: string) => void): void
}

export interface EdgeHops {
  to(address: HopAddress): Hop
  /** A connection is gone. */
  flowFailed(flow: string): void
}

/** Messages that wait for a connection to one edge: a second of a busy one. */
const MAX_WAITING = 1024
const MAX_HOPS = 256

interface Waiting {
  readonly bytes: Uint8Array
  readonly failed: (why: string) => void
}

export function createEdgeHops(wires: Pick<Wires, 'to'>): EdgeHops {
  const hops = new Map<string, EdgeHop>()
  return {
    to(address) {
      const key = [address.transport, address.address, address.port].join(' ')
      const known = hops.get(key)
      if (known) return known
      if (hops.size >= MAX_HOPS) for (const oldest of hops.keys()) if (hops.delete(oldest)) break
      const hop = new EdgeHop(address, wires)
      hops.set(key, hop)
      return hop
    },
    flowFailed(flow) {
      for (const hop of hops.values()) hop.broken(flow)
    },
  }
}

class EdgeHop implements Hop {
  readonly #address: HopAddress
  readonly #wires: Pick<Wires, 'to'>
  #wire: Wire | undefined
  #opening = false
  #waiting: Waiting[] = []
  #keepMs = 0
  /** Whom a broken connection concerns. */
  readonly #users = new Set<(why: string) => void>()

  constructor(address: HopAddress, wires: Pick<Wires, 'to'>) {
    this.#address = address
    this.#wires = wires
  }

  send(bytes: Uint8Array, failed: (why: string) => void): void {
    this.#users.add(failed)
    if (this.#wire?.alive) return void this.#wire.send(bytes)
    if (this.#waiting.length >= MAX_WAITING)
      return void queueMicrotask(() => failed('the other edge does not take more'))
    this.#waiting.push({ bytes, failed })
    if (!this.#opening) void this.#open()
  }

  keepUntil(ms: number): void {
    this.#keepMs = Math.max(this.#keepMs, ms)
    this.#wire?.keepUntil(ms)
  }

  forget(failed: (why: string) => void): void {
    this.#users.delete(failed)
  }

  broken(flow: string): void {
    if (this.#wire?.flow !== flow) return
    this.#wire = undefined
    const users = [...this.#users]
    this.#users.clear()
    for (const failed of users) failed('the connection to the other edge broke')
  }

  async #open(): Promise<void> {
    this.#opening = true
    const { listener, transport, address, port } = this.#address
    try {
      const wire = await this.#wires.to(listener, transport, address, port)
      wire.keepUntil(this.#keepMs)
      this.#wire = wire
      for (const { bytes } of this.#waiting.splice(0)) wire.send(bytes)
    } catch (error) {
      const why = `the other edge cannot be reached: ${(error as Error).message}`
      for (const { failed } of this.#waiting.splice(0)) failed(why)
    } finally {
      this.#opening = false
    }
  }
}
