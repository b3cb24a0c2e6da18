/**
 * rtpengine as media engine: chosen by `media: { relay: rtpengine, control: ["udp://127.0.0.1:22222"] }`. Several are
 * used in turn; one that does not answer is left out, and what it carried is anchored anew at another one with the next
 * offer of the call. Calls that are up go on hearing each other while it cannot be reached.
 *
 * An emergency call does not depend on it: when no rtpengine answers in a quarter of a second, the embedded relay carries
 * that call (docs/adr/0040).
 */
import { randomBytes, randomInt } from 'node:crypto'
import type { LegMedia } from '@tandem/contracts/call.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { asRelayed } from '@tandem/sdp/relayed.ts'
import { type LegOrigin, newLegOrigin, originOf } from '@tandem/sdp/rewrite.ts'
import { addedMedia } from '../domain/leg-media.ts'
import type { Described, LegSettings, MediaEngine, MediaLeg, MediaPeer } from '../domain/media-engine.ts'
import { takesOffer } from '../domain/srtp/takes-offer.ts'
import { type NgControl, openNgControl } from './ng-control.ts'
import { since } from './rtpengine-counts.ts'
import { NgSession, type Side } from './rtpengine-session.ts'

/** Counts younger than this are told again without a question, ms. */
const FRESH_MS = 1000

export interface RtpengineSettings {
  readonly control: readonly string[]
  /** Monotonic, ms. */
  readonly now: () => number
  readonly log: Logger
  /** Carries emergency calls when no rtpengine answers; closed with this engine. */
  readonly reserve: MediaEngine
}

type Session = NgSession<RtpengineLeg>

interface House {
  readonly settings: RtpengineSettings
  readonly control: NgControl
  /** Legs that wait for their last counts, and sessions that are being deleted. */
  readonly pending: Set<object>
  open: number
}

export function openRtpengine(settings: RtpengineSettings): MediaEngine {
  const control = openNgControl(settings.control, settings.log)
  const house: House = { settings, control, pending: new Set(), open: 0 }
  return {
    openLeg: (leg) => new RtpengineLeg(house, leg),
    usage: () => ({ used: house.open, free: settings.reserve.usage().free }),
    async close() {
      // each waits a second at most (rtpengine-session.ts)
      while (house.pending.size > 0) await new Promise((done) => setTimeout(done, 5))
      await control.close()
      await settings.reserve.close()
    },
  }
}

class RtpengineLeg implements MediaLeg {
  readonly direct = false
  readonly #house: House
  readonly #settings: LegSettings
  #sessions: Session[] = []
  #origin: LegOrigin | undefined
  /** What sessions that are over had counted. */
  #before: LegMedia | undefined
  /** The embedded relay carries it. */
  #reserve: MediaLeg | undefined
  #askedMs = Number.NEGATIVE_INFINITY
  /** When the counts were last taken, and when they were last seen to have grown. */
  #polled: { readonly ms: number; readonly packets: number } | undefined
  #grownMs: number | undefined
  #closed = false

  constructor(house: House, settings: LegSettings) {
    this.#house = house
    this.#settings = settings
    house.open++
  }

  offer(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void {
    if (!(to instanceof RtpengineLeg) || this.#closed || to.#closed) return void done(undefined, 503)
    if (this.#reserve !== undefined || to.#reserve !== undefined)
      return void this.#reserved().offer(sdp, peer, to.#reserved(), done)
    // the router may find out that it is a call for help when the caller's leg is open already
    const emergency = this.#settings.emergency || to.#settings.emergency
    if (!takesOffer({ ...this.#settings, emergency }, sdp)) return void done(undefined, 488)
    const session = this.#sessionWith(to)
    session.offer(session.side(this) as Side<RtpengineLeg>, sdp, peer, (text) => {
      const described = text === undefined ? undefined : to.#describe(text, sdp)
      if (described !== undefined) return void done(described)
      if (!emergency) return void done(undefined, 503)
      this.#reserved().offer(sdp, peer, to.#reserved(), done)
    })
  }

  answer(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void {
    if (!(to instanceof RtpengineLeg)) return void done(undefined, 503)
    if (this.#reserve !== undefined && to.#reserve !== undefined)
      return void this.#reserve.answer(sdp, peer, to.#reserve, done)
    const session = this.#sessions.find((each) => each.side(to) !== undefined)
    const side = session?.side(this)
    if (session === undefined || side === undefined) return void done(undefined, 503)
    session.answer(side, sdp, peer, (text) => {
      const described = text === undefined ? undefined : to.#describe(text, sdp)
      done(described, 503)
    })
  }

  resume(said: string): void {
    this.#origin = originOf(said) ?? this.#origin
  }

  connect(other: MediaLeg): void {
    // rtpengine forwards from the answer on
    if (other instanceof RtpengineLeg && other.#reserve !== undefined) this.#reserve?.connect(other.#reserve)
  }

  tune(clock: number): void {
    this.#reserve?.tune(clock)
  }

  counts(): LegMedia | undefined {
    this.#ask()
    return addedMedia(this.#sum(), this.#reserve?.counts())
  }

  lastHeard(): number | undefined {
    this.#ask()
    const reserve = this.#reserve?.lastHeard()
    if (reserve !== undefined || this.#grownMs === undefined || this.#polled === undefined) return reserve
    // silent for as long as was seen, and nothing is known of the time since
    return this.#house.settings.now() - (this.#polled.ms - this.#grownMs)
  }

  settle(done: (counts: LegMedia | undefined) => void): void {
    const { pending } = this.#house
    pending.add(done)
    // the other leg may end in the same moment: then one question gives the counts of both
    setImmediate(() => {
      let left = this.#sessions.length
      const finish = () => {
        if (--left > 0) return
        pending.delete(done)
        done(addedMedia(this.#sum(), this.#reserve?.counts()))
      }
      if (left === 0) return finish()
      for (const session of this.#sessions) {
        if (session.sides.every(({ leg }) => leg === undefined || leg.#closed)) session.delete(finish)
        else session.query(finish)
      }
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#house.open--
    this.#reserve?.close()
    const { pending } = this.#house
    pending.add(this)
    // after `settle`, which sees the sessions as they were
    setImmediate(() => {
      pending.delete(this)
      for (const session of this.#sessions) this.#leave(session)
    })
  }

  /** Its place may be taken when the other's peer knows our ports; else the session is over. */
  #leave(session: Session): void {
    const side = session.side(this)
    if (side === undefined) return
    const { leg: other, told } = session.opposite(side)
    if (other !== undefined && !other.#closed && told && other.#sessions.length === 1) {
      session.query(() => {
        if (side.leg === this) side.leg = undefined
      })
      return
    }
    const { pending } = this.#house
    pending.add(session)
    session.delete(() => {
      pending.delete(session)
      if (other === undefined || other.#closed) return
      other.#before = addedMedia(other.#before, session.opposite(side).counts)
      other.#sessions = other.#sessions.filter((each) => each !== session)
    })
  }

  #sessionWith(to: RtpengineLeg): Session {
    const shared = this.#sessions.find((session) => session.side(to) !== undefined)
    if (shared !== undefined) return shared
    const free = this.#sessions.find((session) => {
      const place = session.opposite(session.side(this) as Side<RtpengineLeg>)
      const { leg, keying } = place
      // rtpengine keys a tag anew with SDES or without at each offer; DTLS and ICE stay what they were
      const same = (keying === 'dtls') === (to.#settings.keying === 'dtls')
      return (leg === undefined || leg.#closed) && same
    })
    const session = free ?? this.#newSession(to)
    if (free !== undefined) {
      const place = free.opposite(free.side(this) as Side<RtpengineLeg>)
      place.leg = to
      place.keying = to.#settings.keying
      place.takeovers = to.#settings.takeovers ?? 0
      // the tag has counted for the one before
      place.base = place.counts
    }
    to.#sessions.push(session)
    return session
  }

  #newSession(to: RtpengineLeg): Session {
    const side = (leg: RtpengineLeg): Side<RtpengineLeg> => {
      const { legId, keying, takeovers = 0 } = leg.#settings
      return { leg, tag: legId, keying, takeovers, told: false, counts: undefined, base: undefined }
    }
    const emergency = this.#settings.emergency || to.#settings.emergency
    const callId = randomBytes(12).toString('base64url')
    const session: Session = new NgSession(this.#house.control, callId, emergency, [side(this), side(to)])
    this.#sessions.push(session)
    return session
  }

  /** What rtpengine made of a description, as this leg's peer may see it. */
  #describe(text: string, original: Sdp): string | undefined {
    const parsed = parseSdp(text)
    if (parsed.kind !== 'sdp') return undefined
    const { sdp } = parsed
    const address = sdp.media.find(({ connection }) => connection !== undefined)?.connection?.address ?? '0.0.0.0'
    // RFC 8866 5.2: a numeric session id, unlike any other of this address
    const before = this.#origin ?? newLegOrigin(String(randomInt(2 ** 47)), address)
    const relayed = asRelayed(sdp, original, before)
    this.#origin = relayed.origin
    return relayed.text
  }

  #reserved(): MediaLeg {
    this.#reserve ??= this.#house.settings.reserve.openLeg(this.#settings)
    return this.#reserve
  }

  #sum(): LegMedia | undefined {
    return this.#sessions.reduce((sum, session) => {
      const side = session.side(this)
      return addedMedia(sum, since(side?.counts, side?.base))
    }, this.#before)
  }

  #ask(): void {
    const { now } = this.#house.settings
    if (this.#closed || now() - this.#askedMs < FRESH_MS) return
    this.#askedMs = now()
    for (const session of this.#sessions) {
      session.query(() => {
        const sum = this.#sum()
        // RTCP is life, too: who is on hold or muted may send nothing else (RFC 3550 6.4)
        const packets = (sum?.received.packets ?? 0) + (sum?.rtcpReceived ?? 0)
        const ms = now()
        if (packets > (this.#polled?.packets ?? 0)) this.#grownMs = ms
        this.#polled = { ms, packets }
      })
    }
  }
}
