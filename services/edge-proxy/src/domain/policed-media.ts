/**
 * What holds for every media engine: codecs by the policies of both legs, offers that a leg cannot take, and neighbours
 * that talk past the edge (media bypass). An emergency call is never refused for its codecs, and never bypasses: its
 * audio is where the edge can see it.
 */
import type { LegMedia } from '@tandem/contracts/call.ts'
import { withCodecs } from '@tandem/sdp/codec-policy.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { type LegOrigin, newLegOrigin, originOf, withOrigin } from '@tandem/sdp/rewrite.ts'
import type { Described, LegSettings, MediaEngine, MediaLeg, MediaPeer } from './media-engine.ts'
import { areNeighbours } from './media-policy.ts'

/** `sessionId`: digits, unlike any other of this edge (RFC 8866 5.2). */
export function policedMedia(engine: MediaEngine, sessionId: () => string): MediaEngine {
  return {
    openLeg: (settings) => new PolicedLeg(engine.openLeg(settings), settings, sessionId),
    usage: () => engine.usage(),
    close: () => engine.close(),
  }
}

class PolicedLeg implements MediaLeg {
  readonly #inner: MediaLeg
  readonly #settings: LegSettings
  readonly #sessionId: () => string
  #origin: LegOrigin | undefined
  /** Was told their addresses, and they its. */
  readonly #neighbours = new Set<PolicedLeg>()
  #other: PolicedLeg | undefined

  constructor(inner: MediaLeg, settings: LegSettings, sessionId: () => string) {
    this.#inner = inner
    this.#settings = settings
    this.#sessionId = sessionId
  }

  get direct(): boolean {
    return this.#other !== undefined && this.#neighbours.has(this.#other)
  }

  offer(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void {
    if (!(to instanceof PolicedLeg)) return void done(undefined, 503)
    const emergency = this.#settings.emergency || to.#settings.emergency
    const left = withCodecs(sdp, [this.#settings.codecs ?? [], to.#settings.codecs ?? []].flat())
    if (left === undefined && !emergency) return void done(undefined, 488)
    if (!emergency && this.#mayBypass(to)) {
      this.#neighbours.add(to)
      to.#neighbours.add(this)
      return void done(to.#written(left ?? sdp))
    }
    this.#inner.offer(left ?? sdp, peer, to.#inner, (text, why) => done(to.#asOurs(text), why))
  }

  answer(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void {
    if (!(to instanceof PolicedLeg)) return void done(undefined, 503)
    if (this.#neighbours.has(to)) return void done(to.#written(sdp))
    this.#inner.answer(sdp, peer, to.#inner, (text, why) => done(to.#asOurs(text), why))
  }

  resume(said: string): void {
    this.#inner.resume?.(said)
    if (this.#settings.bypass !== undefined) this.#origin = originOf(said) ?? this.#origin
  }

  connect(other: MediaLeg): void {
    if (!(other instanceof PolicedLeg)) return
    this.#other = other
    other.#other = this
    if (!this.direct) this.#inner.connect(other.#inner)
  }

  tune(clock: number): void {
    this.#inner.tune(clock)
  }

  counts(): LegMedia | undefined {
    return this.#inner.counts()
  }

  settle(done: (counts: LegMedia | undefined) => void): void {
    this.#inner.settle(done)
  }

  lastHeard(): number | undefined {
    return this.#inner.lastHeard()
  }

  close(): void {
    for (const neighbour of this.#neighbours) neighbour.#neighbours.delete(this)
    this.#other = undefined
    this.#inner.close()
  }

  #mayBypass(to: PolicedLeg): boolean {
    const [mine, theirs] = [this.#settings, to.#settings]
    // keys pass as they are, so both must want the same
    return mine.keying === theirs.keying && areNeighbours(mine.bypass, theirs.bypass)
  }

  /** The engine's, with the `o=` line of this leg: one through the call, however its audio goes (RFC 3264 8). */
  #asOurs(text: string | undefined): string | undefined {
    // a leg that never bypasses has the engine's
    if (text === undefined || this.#settings.bypass === undefined) return text
    const parsed = parseSdp(text)
    return parsed.kind === 'sdp' ? this.#written(parsed.sdp) : undefined
  }

  /** Everything but the `o=` line, which is ours: a neighbour's addresses stay. */
  #written(sdp: Sdp): string {
    const body = sdp.lines.filter((line, i) => i > 0 && !line.startsWith('o=')).join('\r\n')
    this.#origin ??= newLegOrigin(this.#sessionId(), sdp.connection?.address ?? sdp.origin.address)
    const { text, origin } = withOrigin(`${body}\r\n`, this.#origin)
    this.#origin = origin
    return text
  }
}
