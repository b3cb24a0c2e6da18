/**
 * The hop between a phone whose flow ends here and the edge that has its call (RFC 5626 5.3, docs/adr/0120): no
 * transaction, no dialog, no record. A request goes on under a Via of ours whose branch is made from that of its sender,
 * so that retransmissions, CANCEL and ACK find the way of their INVITE (RFC 3261 16.11); the Vias before it are kept
 * here, where nobody outside reads them, until its response comes.
 */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { elements, maxForwards, topVia } from '@tandem/sip/message/read.ts'
import { parseNameAddr } from '@tandem/sip/message/uri.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { MAGIC_COOKIE, requestIdentity } from '@tandem/sip/transaction/matching.ts'
import { cameThrough, readFlowToken, readReturn } from './domain/flow-token.ts'
import { type HopAddress, hostPort } from './domain/own-hop.ts'
import type { Clock, Cluster, Timer, Wire } from './edge.ts'
import type { EdgeHops } from './edge-hops.ts'

export interface FlowRelay {
  /** True: it was for a phone here, or for an edge of the cluster, and is on its way or answered. */
  request(request: SipRequest, wire: Wire, back: Wire): boolean
  response(response: SipResponse): boolean
  close(): void
}

export interface FlowRelayParts {
  readonly cluster: Cluster
  readonly clock: Clock
  /** The flow of a binding of this edge. */
  readonly wireOf: (bindingId: string) => Wire | undefined
  readonly hops: EdgeHops
  /** Where this edge takes what comes through others. */
  readonly ownHop: () => HopAddress | undefined
  readonly answer: (request: SipRequest, status: number, back: Wire) => void
  /** An edge of the cluster has proven itself on it. */
  readonly proven: (wire: Wire) => void
}

const BRANCH = `${MAGIC_COOKIE}r.`
/** RFC 3261 16.6: timer C is more than 3 min, and each provisional response begins it anew; ms. */
const INVITE_MS = 300_000
/** RFC 3261 17.1.2: timer F and then some, ms. */
const OTHER_MS = 64_000
const SWEEP_MS = 10_000
const MAX_WAITING = 100_000

interface Waiting {
  readonly vias: readonly string[]
  readonly back: Wire
  readonly ms: number
  untilMs: number
}

export function createFlowRelay(parts: FlowRelayParts): FlowRelay {
  const { cluster, clock } = parts
  const key = createSecretKey(randomBytes(32))
  const waiting = new Map<string, Waiting>()
  let sweeper: Timer | undefined

  const sweep = () => {
    sweeper = undefined
    const now = clock.now()
    for (const [branch, { untilMs }] of waiting) if (untilMs < now) waiting.delete(branch)
    if (waiting.size > 0) sweeper = clock.setTimer(SWEEP_MS, sweep)
  }

  const remember = (branch: string, request: SipRequest, back: Wire) => {
    if (waiting.size >= MAX_WAITING) for (const oldest of waiting.keys()) if (waiting.delete(oldest)) break
    const ms = request.method === 'INVITE' ? INVITE_MS : OTHER_MS
    waiting.delete(branch)
    waiting.set(branch, { vias: request.headers.getAll('via'), back, ms, untilMs: clock.now() + ms })
    sweeper ??= clock.setTimer(SWEEP_MS, sweep)
  }

  /** The request as it goes on, or undefined when it does not. `transport` and `sentBy`: of our Via. */
  const forwarded = (
    request: SipRequest,
    back: Wire,
    way: Pick<Wire, 'transport' | 'sentBy'>,
  ): Uint8Array | undefined => {
    const identity = requestIdentity(request)
    if (identity === undefined) return undefined
    const hopsLeft = maxForwards(request) ?? 70
    if (hopsLeft === 0) {
      // RFC 3261 16.3 step 3
      parts.answer(request, 483, back)
      return undefined
    }
    const branch = BRANCH + createHmac('sha256', key).update(identity).digest('base64url').slice(0, 22)
    // an ACK has no response; that of a 300-699 goes the way of its INVITE, which is waited for still
    if (request.method !== 'ACK' && request.method !== 'CANCEL') remember(branch, request, back)
    const headers = request.headers.clone()
    headers.remove('via')
    headers.prepend('Via', `SIP/2.0/${way.transport} ${way.sentBy};branch=${branch};rport`)
    headers.set('Max-Forwards', String(hopsLeft - 1))
    return writeMessage({ ...request, headers })
  }

  /** From an edge to a phone here. */
  const toPhone = (request: SipRequest, token: ReturnType<typeof readFlowToken>, wire: Wire, back: Wire) => {
    // RFC 5626 5.3.1: tampered with: 403; the flow is not there any more: 430
    if (token?.kind !== 'flow') return parts.answer(request, 403, back)
    parts.proven(wire)
    const flow = token.life === cluster.self.life ? parts.wireOf(token.bindingId) : undefined
    if (flow === undefined || !flow.alive) return parts.answer(request, 430, back)
    const routes = elements(request, 'route').slice(1)
    const headers = request.headers.clone()
    headers.remove('route')
    for (const route of routes.toReversed()) headers.prepend('Route', route)
    const bytes = forwarded({ ...request, headers }, back, flow)
    if (bytes) flow.send(bytes)
  }

  /** From a phone here to the edge that has its call. */
  const toEdge = (request: SipRequest, back: Wire): boolean => {
    const secret = cluster.secret()
    const to = secret === undefined ? undefined : readReturn(request.uri, secret)
    const own = parts.ownHop()
    // an edge that is gone: its call is taken over here, where its phone is (adoption.ts)
    if (to === undefined || own === undefined || to.edge === cluster.self.edge || cluster.lease.away(to.edge))
      return false
    const way = { transport: own.transport, sentBy: hostPort(own) } as const
    const bytes = forwarded(request, back, { ...way, transport: to.transport })
    if (bytes) parts.hops.to({ ...to, listener: own.listener }).send(bytes, ignore)
    return true
  }

  return {
    request(request, wire, back) {
      const secret = cluster.secret()
      if (secret === undefined) return false
      const [route] = request.headers.has('route') ? elements(request, 'route') : []
      const user = route?.includes('flow.') ? parseNameAddr(route)?.uri.user : undefined
      const token = user === undefined ? undefined : readFlowToken(user, secret)
      if (token) {
        toPhone(request, token, wire, back)
        return true
      }
      return cameThrough(request.uri) && toEdge(request, back)
    },
    response(response) {
      const via = topVia(response)
      const branch = via?.params.get('branch')
      if (!branch?.startsWith(BRANCH)) return false
      const found = waiting.get(branch)
      if (!found) return true
      found.untilMs = clock.now() + found.ms
      const headers = response.headers.clone()
      headers.remove('via')
      for (const value of found.vias.toReversed()) headers.prepend('Via', value)
      found.back.send(writeMessage({ ...response, headers }))
      return true
    },
    close() {
      if (sweeper) clock.clearTimer(sweeper)
    },
  }
}

/** The phone sends its request again, or gives up (RFC 3261 17.1). */
const ignore = (): void => {}
