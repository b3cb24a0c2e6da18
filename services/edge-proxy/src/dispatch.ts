/** Which part of the edge answers a request: dialogs first, then by method. */
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { to, toTag } from '@tandem/sip/message/read.ts'
import { unescapeUser } from '@tandem/sip/message/uri.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import { ACCEPT, ALLOW, type Refusal, SUPPORTED, screen } from './domain/screen.ts'
import type { Doorkeeper } from './doorkeeper.ts'
import type { Calls, Edge, Peer, Wire } from './edge.ts'
import type { Registrations } from './registrations.ts'

/** s; told with a 503 while draining. */
export const RETRY_AFTER = '10'

/** Refusals of what we do not understand or forward, not of what cannot be processed at all. */
const BEARABLE: ReadonlySet<number> = new Set([406, 415, 420, 483])

/** A part that answers requests of its methods; `inDialog` is asked first. */
export interface RequestHandler {
  onRequest(transaction: ServerTransaction, wire: Wire, peer: Peer): void
  /** False: no dialog of this part. */
  onInDialog?(transaction: ServerTransaction, wire: Wire): boolean
}

export interface DispatchParts {
  readonly edge: Edge
  readonly door: Doorkeeper
  readonly registrations: Registrations
  readonly calls: Calls
  readonly subscriptions: RequestHandler
  readonly publications: RequestHandler
  readonly messages: RequestHandler
  /** OPTIONS of another edge that wants to know whether this one lives. */
  readonly answersForItself: (transaction: ServerTransaction) => boolean
  readonly draining: () => boolean
}

export function createDispatch(parts: DispatchParts): (transaction: ServerTransaction, wire: Wire) => void {
  const { edge, door } = parts

  const authenticated = (transaction: ServerTransaction, wire: Wire): Peer | undefined =>
    edge.authenticate(transaction.request, wire, (status, headers) => void transaction.reply(status, { headers }))

  const invite = (transaction: ServerTransaction, wire: Wire) => {
    const { request } = transaction
    if (parts.draining() && !door.urgent(request, wire) && parts.calls.neverRefused?.(request) !== true) {
      transaction.reply(503, { headers: [['Retry-After', RETRY_AFTER]] })
      return
    }
    const peer = authenticated(transaction, wire)
    if (peer) parts.calls.onInvite(transaction, wire, peer)
  }

  const options = (transaction: ServerTransaction, wire: Wire) => {
    if (parts.answersForItself(transaction)) return
    const trunk = door.trunkAt(transaction.request, wire)
    const drained = trunk !== undefined && edge.trunks.health(trunk) === 'drain'
    // RFC 3261 11.2: the answer is the one an INVITE would get; a carrier whose trunk is drained looks for another way
    if (parts.draining() || drained) return void transaction.reply(503, { headers: [['Retry-After', RETRY_AFTER]] })
    const headers: [string, string][] = [
      ['Allow', ALLOW],
      ['Accept', ACCEPT],
      ['Accept-Encoding', 'identity'],
      ['Accept-Language', 'en'],
      ['Supported', SUPPORTED],
    ]
    transaction.reply(200, { headers })
  }

  const register = (transaction: ServerTransaction, wire: Wire) => {
    const { request } = transaction
    const user = door.proveUser(request, wire, (status, headers) => void transaction.reply(status, { headers }))
    if (user === undefined) return
    // RFC 3261 10.3 steps 4 and 5: a user may register itself only
    const aor = to(request)?.uri.user
    if (aor === undefined || !door.names(user, unescapeUser(aor))) {
      door.refused(request, wire, `${user} may not register ${aor ?? 'nobody'}`, user)
      transaction.reply(403)
      return
    }
    const answer = parts.registrations.register(user, request, wire, door.site(wire.remoteAddress))
    transaction.reply(answer.status, { reason: answer.reason, headers: answer.headers })
  }

  const handled = (handler: RequestHandler) => (transaction: ServerTransaction, wire: Wire) => {
    const peer = authenticated(transaction, wire)
    if (peer) handler.onRequest(transaction, wire, peer)
  }

  const byMethod: Readonly<Record<string, (transaction: ServerTransaction, wire: Wire) => void>> = {
    INVITE: invite,
    OPTIONS: options,
    REGISTER: register,
    SUBSCRIBE: handled(parts.subscriptions),
    PUBLISH: handled(parts.publications),
    MESSAGE: handled(parts.messages),
    // docs/adr/0060: a transfer is asked for inside the call that it transfers
    REFER: (transaction) => void transaction.reply(603),
  }

  return (transaction, wire) => {
    const { request } = transaction
    const refusal = screen(request)
    // location.md L1: what we do not support never stops a call for help
    if (refusal && !(BEARABLE.has(refusal.status) && door.urgentAnywhere(request))) return refuse(transaction, refusal)
    // RFC 3261 12.2.2: a To tag means a dialog; one that we do not know gets 481
    if (toTag(request) !== undefined && request.method !== 'REGISTER') {
      if (parts.calls.onInDialog(transaction, wire) || parts.subscriptions.onInDialog?.(transaction, wire)) {
        door.proven(wire)
        return
      }
      if (request.method === 'OPTIONS') return options(transaction, wire)
      transaction.reply(481)
      return
    }
    const handler = Object.hasOwn(byMethod, request.method) ? byMethod[request.method] : undefined
    if (handler) handler(transaction, wire)
    else refuseMethod(transaction, request)
  }
}

function refuse(transaction: ServerTransaction, refusal: Refusal): void {
  transaction.reply(refusal.status, { reason: refusal.reason, headers: refusal.headers })
}

function refuseMethod(transaction: ServerTransaction, request: SipRequest): void {
  // RFC 3261 12.2.2 and RFC 6665 4.1.3: these have no meaning without their dialog
  const needsDialog = ['BYE', 'NOTIFY', 'INFO', 'PRACK', 'UPDATE'].includes(request.method)
  if (needsDialog) transaction.reply(481)
  else transaction.reply(405, { headers: [['Allow', ALLOW]] })
}
