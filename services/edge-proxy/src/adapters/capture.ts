/**
 * The SIP messages of calls, for the ladder (edge.md E14) and for a collector. Gathered over all calls for some 100 ms and told once;
 * credentials are blanked, places and keys left out, everything is bounded.
 */
import type { Bus } from '@tandem/bus/bus.ts'
import { type CapturedMessage, SipCaptured } from '@tandem/contracts/call.ts'
import { blank, callIdOf } from '../domain/blank-message.ts'
import { instant } from '../domain/instant.ts'
import type { Clock, Edge, Timer, Wire } from '../edge.ts'

const GATHER_MS = 100
/** Messages told at once (the contract allows 2000) and bytes of them: a bus message holds 8 MB. */
const MAX_BATCH = 500
const MAX_BATCH_BYTES = 2 * 1024 * 1024
/** Messages that wait to be told; more are lost, and counted. */
const MAX_WAITING = 5_000
const MAX_TEXT = 16_384
/** Call-IDs that nobody follows yet: an INVITE is seen before its call is. */
const MAX_EARLY = 2_000
const MAX_EARLY_MESSAGES = 16
const EARLY_MS = 5_000
/** The last answers of a call come after its end. */
const LATE_MS = 3_000

interface Followed {
  readonly callId: string
  readonly legId: string
  readonly peer: string
  /** µs, monotonic, of the call's first message. */
  readonly originUs: number
  /** The same on the wall clock, µs since 1970: no step of that clock turns the order of messages. */
  readonly originWallUs: number
  forgetMs: number | undefined
}

interface Raw {
  readonly direction: 'received' | 'sent'
  readonly bytes: Uint8Array
  readonly wire: Wire
  readonly us: number
  readonly wall: number
}

type Capturing = Edge['capture']

export interface Capture extends Capturing {
  readonly seen: (direction: 'received' | 'sent', bytes: Uint8Array, wire: Wire) => void
  lost(): number
  close(): void
}

export interface CaptureParts {
  readonly node: string
  readonly bus: Pick<Bus, 'tell'>
  readonly clock: Clock
  /** Gets each message as it is told, already blanked; `us`: µs since 1970. */
  readonly beside?: (message: CapturedMessage, us: number) => void
}

export function createCapture(parts: CaptureParts): Capture {
  const { clock } = parts
  const followed = new Map<string, Followed>()
  /** Those of `followed` whose call is over, in the order of their end. */
  let leaving: string[] = []
  const origins = new Map<string, { us: number; wallUs: number; legs: number }>()
  const early = new Map<string, Raw[]>()
  const waiting: { raw: Raw; of: Followed }[] = []
  let lost = 0
  let timer: Timer | undefined

  const gather = (raw: Raw, of: Followed) => {
    if (waiting.length >= MAX_WAITING) {
      lost++
      return
    }
    waiting.push({ raw, of })
    timer ??= clock.setTimer(GATHER_MS, flush)
  }

  const flush = () => {
    timer = undefined
    let bytes = 0
    const messages: CapturedMessage[] = []
    while (waiting.length > messages.length && messages.length < MAX_BATCH && bytes < MAX_BATCH_BYTES) {
      const { raw, of } = waiting[messages.length] as (typeof waiting)[number]
      const message = told(raw, of)
      bytes += message.text.length
      messages.push(message)
      parts.beside?.(message, of.originWallUs + message.offsetUs)
    }
    waiting.splice(0, messages.length)
    if (messages.length > 0) parts.bus.tell(SipCaptured, { edge: parts.node, messages })
    tidy(clock.now())
    if (waiting.length + leaving.length + early.size > 0) timer ??= clock.setTimer(GATHER_MS, flush)
  }

  const tidy = (now: number) => {
    let gone = 0
    for (; gone < leaving.length; gone++) {
      const sipCallId = leaving[gone] as string
      const f = followed.get(sipCallId)
      if (f?.forgetMs === undefined) continue
      if (f.forgetMs > now) break
      followed.delete(sipCallId)
      const origin = origins.get(f.callId)
      if (origin && --origin.legs === 0) origins.delete(f.callId)
    }
    if (gone > 0) leaving = leaving.slice(gone)
    // oldest first: the map keeps the order of coming
    for (const [sipCallId, raws] of early) {
      if (now - (raws[0] as Raw).us / 1000 < EARLY_MS) break
      early.delete(sipCallId)
    }
  }

  return {
    seen(direction, bytes, wire) {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      const sipCallId = callIdOf(buffer)
      if (sipCallId === undefined) return
      const now = clock.now()
      const raw: Raw = { direction, bytes, wire, us: now * 1000, wall: clock.wall() }
      const of = followed.get(sipCallId)
      if (of) return gather(raw, of)
      const known = early.get(sipCallId)
      if (known) {
        if (known.length < MAX_EARLY_MESSAGES) known.push(raw)
        return
      }
      if (!buffer.subarray(0, 7).equals(INVITE)) return
      if (early.size >= MAX_EARLY) for (const oldest of early.keys()) if (early.delete(oldest)) break
      early.set(sipCallId, [raw])
      timer ??= clock.setTimer(GATHER_MS, flush)
    },
    follow(sipCallId, callId, legId, peerName, sinceMs) {
      if (followed.has(sipCallId)) return
      const before = early.get(sipCallId) ?? []
      early.delete(sipCallId)
      const { us, wall } = before[0] ?? { us: clock.now() * 1000, wall: clock.wall() }
      const ago = Math.max(wall - (sinceMs ?? wall), 0) * 1000
      const origin = origins.get(callId) ?? { us: us - ago, wallUs: wall * 1000 - ago, legs: 0 }
      origins.set(callId, origin)
      origin.legs++
      const of: Followed = {
        ...{ callId, legId, peer: peerName.slice(0, 1024), forgetMs: undefined },
        ...{ originUs: origin.us, originWallUs: origin.wallUs },
      }
      followed.set(sipCallId, of)
      for (const raw of before) gather(raw, of)
    },
    forget(sipCallId) {
      const of = followed.get(sipCallId)
      if (of === undefined || of.forgetMs !== undefined) return
      of.forgetMs = clock.now() + LATE_MS
      leaving.push(sipCallId)
      timer ??= clock.setTimer(GATHER_MS, flush)
    },
    lost: () => lost,
    close() {
      while (waiting.length > 0) flush()
      if (timer) clock.clearTimer(timer)
      timer = undefined
    },
  }
}

const INVITE = Buffer.from('INVITE ')

function told({ direction, bytes, wire, us, wall }: Raw, of: Followed): CapturedMessage {
  return {
    callId: of.callId,
    legId: of.legId,
    at: instant(wall),
    offsetUs: Math.max(Math.round(us - of.originUs), 0),
    direction,
    peer: of.peer,
    transport: wire.transport,
    local: wire.sentBy.slice(0, 128),
    remote: `${wire.remoteAddress}:${wire.remotePort}`,
    text: blank(Buffer.from(bytes).toString('utf8')).slice(0, MAX_TEXT),
  }
}
