/** REFER and Replaces read from the wire (RFC 3515, 3891, 3892, 4488). Malformed text gives a refusal, nothing throws. */
import type { SipRequest, SipUri } from './message.ts'
import { elements } from './read.ts'
import { parseNameAddr } from './uri.ts'

/** Which dialog is to be replaced, as its owner sees it: `toTag` is the owner's own (RFC 3891 3). */
export interface Replaces {
  readonly callId: string
  readonly toTag: string
  readonly fromTag: string
  readonly earlyOnly: boolean
}

export interface Reference {
  readonly uri: SipUri
  /** The target as written, without URI headers. */
  readonly uriText: string
  readonly replaces: Replaces | undefined
  /** RFC 4488 4: the one who refers wants to hear nothing of it. */
  readonly subscribe: boolean
}

export type ReadRefer =
  | { readonly kind: 'refer'; readonly reference: Reference }
  | { readonly kind: 'refuse'; readonly status: 400 | 416; readonly reason: string }

const LONGEST = 2048

export function readRefer(request: SipRequest): ReadRefer {
  const values = elements(request, 'refer-to')
  // RFC 3515 2.4.2: "A REFER with no or more than one Refer-To: ... MUST be rejected with a 400"
  if (values.length !== 1) return refuse(400, 'Exactly one Refer-To is needed')
  const value = values[0] as string
  const target = value.length > LONGEST ? undefined : parseNameAddr(value)
  if (target === undefined) return refuse(400, 'Malformed Refer-To')
  const { uri } = target
  if (uri.scheme !== 'sip' && uri.scheme !== 'sips' && uri.scheme !== 'tel')
    return refuse(416, 'Unsupported URI scheme')
  // RFC 3515 2.1 and RFC 3261 19.1.1: the method of the URI; other things than calls are not made for anybody
  const method = uri.params.get('method')
  if (method !== undefined && method.toUpperCase() !== 'INVITE') return refuse(400, 'Only an INVITE can be referred to')
  const written = headerOf(uri, 'replaces')
  const replaces = written === undefined ? undefined : parseReplaces(written)
  if (written !== undefined && replaces === undefined) return refuse(400, 'Malformed Replaces')
  const uriText = target.uriText.split('?', 1)[0] as string
  const subscribe = !/^\s*false\b/i.test(request.headers.get('refer-sub') ?? '')
  return { kind: 'refer', reference: { uri, uriText, replaces, subscribe } }
}

const refuse = (status: 400 | 416, reason: string): ReadRefer => ({ kind: 'refuse', status, reason })

/** RFC 3261 19.1.1: one of the headers of a URI, unescaped; undefined when it is not there or cannot be read. */
export function headerOf(uri: SipUri, name: string): string | undefined {
  for (const pair of uri.headers?.split('&') ?? []) {
    const equals = pair.indexOf('=')
    if (equals < 0) continue
    try {
      if (decodeURIComponent(pair.slice(0, equals)).toLowerCase() === name)
        return decodeURIComponent(pair.slice(equals + 1))
    } catch {
      // a % that begins no escape of UTF-8
      return undefined
    }
  }
  return undefined
}

/** RFC 3891 6.1: exactly one to-tag and one from-tag. */
export function parseReplaces(value: string): Replaces | undefined {
  const [callId, ...params] = value.split(';').map((part) => part.trim())
  if (callId === undefined || !/^[^\s,;]+$/.test(callId)) return undefined
  const tags = (name: string) =>
    params.flatMap((p) => new RegExp(`^${name}\\s*=\\s*([^\\s;,="]+)$`, 'i').exec(p)?.[1] ?? [])
  const toTags = tags('to-tag')
  const fromTags = tags('from-tag')
  if (toTags.length !== 1 || fromTags.length !== 1) return undefined
  const earlyOnly = params.some((p) => /^early-only$/i.test(p))
  return { callId, toTag: toTags[0] as string, fromTag: fromTags[0] as string, earlyOnly }
}

/** The Replaces of an INVITE: none, one, or `malformed` (RFC 3891 3: more than one is refused with 400). */
export function replacesOf(request: SipRequest): Replaces | 'malformed' | undefined {
  const values = elements(request, 'replaces')
  if (values.length === 0) return undefined
  return values.length > 1 ? 'malformed' : (parseReplaces(values[0] as string) ?? 'malformed')
}

/** A Replaces as header of a URI: `Call-ID%3Bto-tag%3D…`. */
export function writeReplaces({ callId, toTag, fromTag, earlyOnly }: Replaces): string {
  return encodeURIComponent(`${callId};to-tag=${toTag};from-tag=${fromTag}${earlyOnly ? ';early-only' : ''}`)
}
