/** What an INVITE says about its call, and the questions made of it. */
import type { LocateQuestion } from '@tandem/contracts/location.ts'
import type { RouteQuestion } from '@tandem/contracts/routing.ts'
import type { Party } from '@tandem/contracts/values.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { contacts, from, maxForwards, nameAddrs, to } from '@tandem/sip/message/read.ts'
import { unescapeUser } from '@tandem/sip/message/uri.ts'
import type { Peer, Wire } from '../edge.ts'
import { partsOf } from './call-body.ts'
import { diversionsOf } from './history-info.ts'
import { instant } from './instant.ts'
import { asksPrivacy } from './leg-headers.ts'

export interface Asked {
  readonly id: string
  readonly request: SipRequest
  readonly peer: Peer
  readonly wire: Wire
  /** User part of the Request-URI, unescaped. */
  readonly dialled: string
  /** RFC 3325: what this carrier asserts is believed. */
  readonly trusted?: boolean
  /** When the INVITE came. */
  readonly wallMs: number
}

/** What the router is asked; `revision`: the one in force here, so that both work by the same (ADR 80). Foreign text is cut to what the contract carries. */
export function routeQuestion(
  asked: Asked,
  siteOf: (address: string) => string | undefined,
  revision: number,
): RouteQuestion {
  const { request, peer, wire } = asked
  const sender = from(request)
  // RFC 3325 5: "If a proxy receives a message from a node that it does not trust ... it MUST remove" it
  const asserted = asked.trusted === true ? nameAddrs(request, 'p-asserted-identity')[0] : undefined
  const called = nameAddrs(request, 'p-called-party-id')[0]
  const hops = maxForwards(request)
  // a phone does not say who sent a call to it
  const diversions = peer.kind === 'trunk' ? diversionsOf(request) : []
  const toUri = to(request)?.uriText
  return {
    callId: asked.id,
    source: sourceOf(peer, siteOf(wire.remoteAddress)),
    sourceAddress: wire.remoteAddress,
    dialled: asked.dialled.slice(0, 1024),
    requestUri: request.uri.slice(0, 2048),
    ...(toUri === undefined ? {} : { toUri: toUri.slice(0, 2048) }),
    ...(called === undefined ? {} : { calledPartyId: called.uriText.slice(0, 2048) }),
    from: {
      number: callerNumber(request).slice(0, 1024),
      ...(sender?.displayName === undefined ? {} : { display: sender.displayName.slice(0, 1024) }),
    },
    ...(asserted === undefined ? {} : { assertedIdentity: asserted.uriText.slice(0, 2048) }),
    ...(asksPrivacy(request) ? { privacy: true } : {}),
    at: instant(asked.wallMs),
    ...(hops === undefined ? {} : { maxForwards: hops }),
    ...(diversions.length === 0 ? {} : { diversions }),
    revision,
  }
}

/** Where the caller of an emergency call is. */
export function locateQuestion(
  { request, wire }: Pick<Asked, 'request' | 'wire'>,
  user: string | undefined,
): LocateQuestion {
  const pidf = partsOf(request).find((part) => part.type === 'application/pidf+xml')?.text
  return {
    ...(user === undefined ? {} : { user }),
    sourceAddress: wire.remoteAddress,
    // location.md L5: one that is too large is left out, it never stops the call
    ...(pidf === undefined || pidf.length > 65_536 ? {} : { pidfLo: pidf }),
    purpose: 'emergency',
  }
}

function sourceOf(peer: Peer, site: string | undefined): RouteQuestion['source'] {
  if (peer.kind === 'trunk') return { kind: 'trunk', trunk: peer.trunk }
  const where = peer.site ?? site
  if (peer.kind === 'user') return { kind: 'user', user: peer.user, ...(where === undefined ? {} : { site: where }) }
  return { kind: 'unknown', ...(where === undefined ? {} : { site: where }) }
}

export function partyOf(peer: Peer, wire: Wire): Party {
  if (peer.kind === 'user') return { kind: 'user', user: peer.user }
  if (peer.kind === 'trunk') return { kind: 'trunk', trunk: peer.trunk }
  return { kind: 'unknown', address: wire.remoteAddress }
}

export function nameOf(peer: Peer, wire: Wire): string {
  if (peer.kind === 'user') return `user:${peer.user}`
  return peer.kind === 'trunk' ? `trunk:${peer.trunk}` : wire.remoteAddress
}

export function callerNumber(request: SipRequest): string {
  const uri = from(request)?.uri
  return unescapeUser(uri?.user ?? '')
}

/** Its Contact is not where its packets come from. */
export function natted(request: SipRequest, wire: Wire): boolean {
  const found = contacts(request)
  const host = found === '*' ? undefined : found[0]?.uri.host
  return host !== undefined && host !== wire.remoteAddress && host !== `[${wire.remoteAddress}]`
}
