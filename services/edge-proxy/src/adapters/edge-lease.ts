/**
 * Which edges live: each tells its lease every second, and everybody hears all of them, his own too. Who does not hear
 * himself is cut off or has slept, and judges nobody until he has heard everybody again. Who is not heard is asked himself
 * before he is given up: he may be cut off from NATS only (direct-word.ts).
 */
import type { Bus } from '@tandem/bus/bus.ts'
import { EdgeAlive } from '@tandem/contracts/edge.ts'
import type { HeldCall } from '@tandem/contracts/held-call.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { HopAddress } from '../domain/own-hop.ts'
import type { Clock, Timer } from '../edge.ts'

const TELL_MS = 1000
/** Not heard for so long: gone, ms. */
export const LEASE_MS = 2500
/** Not heard for so long: asked himself, and again so much later, ms. */
const ASK_MS = 1500
const ASK_AGAIN_MS = 1000
const LOOK_MS = 250
/** An edge that is gone for good is forgotten after this, ms. */
const FORGET_MS = 600_000
/** Own words that are not heard for so long, or a look that comes so late: no judgement, ms. */
const DOUBT_MS = 1600

type Life = NonNullable<HeldCall['owner']>

export interface EdgeLease {
  /** False while it lives, or while nobody can tell. */
  gone(owner: HeldCall['owner']): boolean
  /** True while it says itself that it lives, and nothing else is heard of it. */
  cutOff(owner: NonNullable<HeldCall['owner']>): boolean
  /** True while nothing is heard of that node, whichever its life. */
  away(edge: string): boolean
  /** Clock ms of the last word of this life; undefined: it was never heard here. */
  heard(owner: HeldCall['owner']): number | undefined
  /** Other edges that live, and can read what is written for them. */
  others(): number
  /** Somebody is gone, or might be since nobody was listening: what was his may be left without an edge. */
  onGone(run: () => void): void
  /** Others could not hear this edge for a while, it was cut off or slept: they may have taken its calls. */
  onDoubt(run: (slept: boolean) => void): void
  /** False: this process was held up for so long that others may have taken its calls. */
  awake(): boolean
  /** Tells the others that this life is over. */
  leave(): Promise<void>
  close(): Promise<void>
}

export interface EdgeLeaseParts {
  readonly bus: Pick<Bus, 'tell' | 'hear' | 'flush' | 'connected'>
  readonly clock: Clock
  readonly self: Life
  readonly log: Pick<Logger, 'warn'>
  /** Where others ask this edge itself; undefined: nowhere. */
  readonly hop: () => HopAddress | undefined
  /** Asks another edge there whether it lives. Never rejects. */
  readonly ask: (life: Life, at: HopAddress) => Promise<boolean>
}

interface Peer {
  life: string
  hop: HopAddress | undefined
  askedMs: number
  /** It has said so itself, and its lease is not heard. */
  cutOff: boolean
  heardMs: number
  /** Of this life. */
  sinceMs: number
  leaving: boolean
  gone: boolean
  /** Calls of the life before this one were looked for. */
  settled: boolean
}

export function holdLease(parts: EdgeLeaseParts): EdgeLease {
  const { bus, clock, self, log } = parts
  const listeners: (() => void)[] = []
  const someoneGone = () => {
    for (const run of listeners) run()
  }
  const doubters: ((slept: boolean) => void)[] = []
  const doubt = (slept: boolean) => {
    for (const run of doubters) run(slept)
  }
  const peers = new Map<string, Peer>()
  let ownHeardMs = Number.NEGATIVE_INFINITY
  /** Since then everybody could be heard; undefined: not now. */
  let soundMs: number | undefined
  let lookedMs = clock.now()
  let judged = false
  let timer: Timer | undefined
  let closed = false

  const tell = (leaving?: boolean) => {
    const hop = parts.hop()
    bus.tell(EdgeAlive, {
      ...self,
      at: new Date(clock.wall()).toISOString(),
      ...(leaving ? { leaving } : {}),
      ...(hop ? { hop } : {}),
    })
  }

  const stopHearing = bus.hear(EdgeAlive, ({ edge, life, leaving, hop }) => {
    const now = clock.now()
    if (edge === self.edge) {
      if (life === self.life) ownHeardMs = now
      return
    }
    let peer = peers.get(edge)
    if (peer?.life !== life) {
      const fresh = { askedMs: Number.NEGATIVE_INFINITY, cutOff: false, leaving: false, gone: false, settled: false }
      peer = { life, hop, heardMs: now, sinceMs: now, ...fresh }
      peers.set(edge, peer)
    }
    peer.heardMs = now
    peer.hop = hop
    peer.cutOff = false
    peer.gone = false
    if (leaving && !peer.leaving) {
      peer.leaving = true
      someoneGone()
    }
  })

  const look = () => {
    const now = clock.now()
    const slept = now - lookedMs >= DOUBT_MS
    const sound = bus.connected && now - ownHeardMs < DOUBT_MS && !slept
    lookedMs = now
    if (!sound) {
      soundMs = undefined
      judged = false
      if (slept) doubt(true)
      return
    }
    if (soundMs === undefined) {
      doubt(false)
      soundMs = now
      for (const peer of peers.values()) peer.heardMs = now
      // the calls of this node's own earlier life need no waiting
      someoneGone()
    }
    judge(now, soundMs)
  }

  const judge = (now: number, since: number) => {
    let found = false
    for (const [edge, peer] of peers) {
      if (peer.gone && now - peer.heardMs > FORGET_MS) peers.delete(edge)
      if (!peer.gone && !peer.leaving && now - peer.heardMs > ASK_MS) ask(edge, peer, now)
      if (!peer.gone && now - peer.heardMs > LEASE_MS) {
        peer.gone = true
        found = true
      }
      if (!peer.settled && now - peer.sinceMs > LEASE_MS) {
        peer.settled = true
        found = true
      }
    }
    if (!judged && now - since > LEASE_MS) {
      judged = true
      found = true
    }
    if (found) someoneGone()
  }

  const ask = (edge: string, peer: Peer, now: number) => {
    const { life, hop } = peer
    if (hop === undefined || now - peer.askedMs < ASK_AGAIN_MS) return
    peer.askedMs = now
    void parts.ask({ edge, life }, hop).then((lives) => {
      // whom it is too late for has lost his calls by now
      if (!lives || closed || peer.gone || peers.get(edge) !== peer) return
      peer.heardMs = clock.now()
      if (!peer.cutOff) log.warn({ edge }, 'an edge is cut off from NATS and goes on')
      peer.cutOff = true
    })
  }

  let told = Number.NEGATIVE_INFINITY
  const tick = () => {
    if (closed) return
    if (clock.now() - told >= TELL_MS) {
      told = clock.now()
      tell()
    }
    look()
    timer = clock.setTimer(LOOK_MS, tick)
  }
  tick()

  return {
    gone(owner) {
      if (owner === undefined) return true
      if (owner.edge === self.edge) return owner.life !== self.life
      const now = clock.now()
      if (soundMs === undefined) return false
      const peer = peers.get(owner.edge)
      // whom nobody has heard within a lease does not live
      if (peer === undefined) return now - soundMs > LEASE_MS
      if (peer.life === owner.life) return peer.leaving || now - peer.heardMs > LEASE_MS
      // a new life of that node goes on with its own calls, at their own addresses, unless it does not
      return now - peer.sinceMs > LEASE_MS
    },
    away(edge) {
      if (edge === self.edge || soundMs === undefined) return false
      const peer = peers.get(edge)
      const now = clock.now()
      return peer === undefined ? now - soundMs > LEASE_MS : peer.leaving || now - peer.heardMs > LEASE_MS
    },
    cutOff({ edge, life }) {
      const peer = peers.get(edge)
      return peer?.life === life && peer.cutOff && !peer.gone
    },
    heard(owner) {
      const peer = owner === undefined ? undefined : peers.get(owner.edge)
      return peer?.life === owner?.life ? peer?.heardMs : undefined
    },
    onDoubt: (run) => void doubters.push(run),
    awake: () => closed || clock.now() - lookedMs < DOUBT_MS,
    others: () =>
      [...peers.values()].filter((p) => !p.leaving && !p.cutOff && clock.now() - p.heardMs <= LEASE_MS).length,
    onGone: (run) => void listeners.push(run),
    async leave() {
      tell(true)
      await bus.flush()
    },
    async close() {
      closed = true
      if (timer) clock.clearTimer(timer)
      await stopHearing()
    },
  }
}
