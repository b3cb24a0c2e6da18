/**
 * SUBSCRIBE and NOTIFY (RFC 6665, RFC 3856): the dialogs live here, what is said in them comes from the presence service.
 *
 *   asking --200--> active --(refresh, notified)--> active --expiry, 481, terminated--> gone
 */
import { randomBytes } from 'node:crypto'
import { type NotifyBody, PresenceNotify, SubscribePresence } from '@tandem/contracts/presence.ts'
import {
  type Dialog,
  dialogKey,
  dialogKeyOfRequest,
  dialogOfUas,
  nextHop,
  receiveInDialog,
  requestInDialog,
} from '@tandem/sip/dialog/dialog.ts'
import { makeResponse } from '@tandem/sip/message/make.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { expires, to, tokens } from '@tandem/sip/message/read.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { RequestHandler } from './dispatch.ts'
import { transportParameter } from './domain/leg-wire.ts'
import { meantBy } from './domain/meant-device.ts'
import type { Edge, Peer, Timer, Wire } from './edge.ts'

const MAX_SUBSCRIPTIONS = 100_000
const DEFAULT_EXPIRES = 3600
/** RFC 5057 5.2 and RFC 6665 4.2.2: answers to a NOTIFY that end the subscription. */
const ENDING = new Set([404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])

interface Subscription {
  readonly id: string
  readonly watcher: string | undefined
  readonly presentity: string
  /** The Event value as the watcher wrote it, with its id. */
  readonly event: string
  readonly accept: string[]
  dialog: Dialog | undefined
  wire: Wire
  /** Wall clock, ms. */
  expiresAt: number
  timer: Timer | undefined
  /** The newest state that is not sent yet: presence states are whole, an older one is worth nothing. */
  waiting: NotifyBody | undefined
  sending: boolean
  over: boolean
}

export interface Subscriptions extends RequestHandler {
  count(): number
  close(): Promise<void>
}

export function createSubscriptions(edge: Edge): Subscriptions {
  const { clock, bus } = edge
  const byId = new Map<string, Subscription>()
  const byDialog = new Map<string, Subscription>()

  const stopHearing = bus.hear(PresenceNotify, ({ subscriptionId, notify }) => take(subscriptionId, notify), {
    key: edge.node,
  })

  function take(id: string, body: NotifyBody): void {
    const s = byId.get(id)
    if (!s) return
    if (s.waiting?.state !== 'terminated') s.waiting = body
    send(s)
  }

  const ask = async (s: Subscription, seconds: number) =>
    await bus.ask(SubscribePresence, {
      edge: edge.node,
      subscriptionId: s.id,
      ...(s.watcher === undefined ? {} : { watcher: s.watcher }),
      presentity: s.presentity,
      event: (s.event.split(';', 1)[0] as string).trim(),
      accept: s.accept,
      expires: seconds,
    })

  const forget = (s: Subscription, tellPresence: boolean) => {
    if (s.over) return
    s.over = true
    if (s.timer) clock.clearTimer(s.timer)
    byId.delete(s.id)
    if (s.dialog) byDialog.delete(dialogKey(s.dialog))
    if (tellPresence) ask(s, 0).catch(() => {})
  }

  const until = (s: Subscription, seconds: number) => {
    s.expiresAt = clock.wall() + seconds * 1000
    s.wire.keepUntil(clock.now() + (seconds + 30) * 1000)
    if (s.timer) clock.clearTimer(s.timer)
    // RFC 6665 4.2.2: an expired subscription is ended with a NOTIFY that says so
    s.timer = clock.setTimer(seconds * 1000, () => take(s.id, { state: 'terminated', reason: 'timeout' }))
  }

  // one NOTIFY at a time: they must not overtake each other (RFC 6665 4.2.2)
  function send(s: Subscription): void {
    const body = s.waiting
    if (!body || !s.dialog || s.sending || s.over) return
    s.waiting = undefined
    s.sending = true
    const [dialog, request] = requestInDialog(s.dialog, {
      method: 'NOTIFY',
      contact: contactOf(edge, s.wire),
      headers: [
        ['Event', s.event],
        ['Subscription-State', stateValue(s, body)],
      ],
      ...(body.body === undefined ? {} : { body: body.body, contentType: body.contentType }),
    })
    s.dialog = dialog
    const done = (status: number) => {
      s.sending = false
      if (body.state === 'terminated') forget(s, body.reason === 'timeout')
      else if (ENDING.has(status)) forget(s, true)
      else send(s)
    }
    wireFor(s, dialog).then(
      (wire) =>
        edge.transactions.request(request, wire, {
          onResponse: (response) => {
            if (response.status >= 200) done(response.status)
          },
          onTimeout: () => done(408),
          onTransportError: () => done(408),
        }),
      () => done(408),
    )
  }

  const stateValue = (s: Subscription, body: NotifyBody): string => {
    if (body.state === 'terminated') return `terminated;reason=${body.reason ?? 'deactivated'}`
    return `${body.state};expires=${Math.max(Math.round((s.expiresAt - clock.wall()) / 1000), 0)}`
  }

  const wireFor = async (s: Subscription, dialog: Dialog): Promise<Wire> => {
    // a watcher behind a NAT is reached over the flow it came from
    if (dialog.routeSet.length === 0 && s.wire.alive) return s.wire
    const uri = parseUri(nextHop(dialog))
    const found = uri && (await edge.wires.toUri(s.wire.listener, uri))[0]
    if (!found) throw new Error('no way to the watcher')
    return found
  }

  /** First SUBSCRIBE and refreshes alike: presence decides, the answer goes out, then a NOTIFY. */
  const decide = async (s: Subscription, transaction: ServerTransaction, fresh: boolean) => {
    const wanted = expires(transaction.request) ?? DEFAULT_EXPIRES
    const outcome = await ask(s, wanted)
    if (s.over) return void transaction.reply(481)
    if (outcome.kind !== 'answer') {
      if (fresh) forget(s, false)
      transaction.reply(503, { headers: [['Retry-After', '10']] })
      return
    }
    const { status, reason, notify } = outcome.answer
    const granted = Math.min(outcome.answer.expires ?? wanted, wanted)
    if (status >= 300) {
      if (fresh) forget(s, false)
      const headers: [string, string][] = status === 423 ? [['Min-Expires', String(outcome.answer.expires ?? 60)]] : []
      if (status === 489) headers.push(['Allow-Events', 'presence'])
      transaction.reply(status, { reason: reason || undefined, headers })
      return
    }
    accept(s, transaction, granted)
    // RFC 6665 4.2.1.2: a NOTIFY MUST follow at once, whatever is known
    const body = notify ?? s.waiting ?? { state: 'active' as const }
    s.waiting = granted === 0 ? { ...body, state: 'terminated', reason: 'timeout' } : body
    send(s)
  }

  const accept = (s: Subscription, transaction: ServerTransaction, granted: number) => {
    const response = makeResponse(transaction.request, 200, {
      toTag: transaction.toTag,
      recordRoute: true,
      contact: contactOf(edge, s.wire),
      headers: [['Expires', String(granted)]],
    })
    if (!s.dialog) {
      s.dialog = dialogOfUas(transaction.request, response, s.wire.transport === 'TLS' || s.wire.transport === 'WSS')
      if (s.dialog) byDialog.set(dialogKey(s.dialog), s)
    }
    if (granted > 0) until(s, granted)
    transaction.respond(response)
  }

  const begin = (transaction: ServerTransaction, wire: Wire, peer: Peer) => {
    const { request } = transaction
    const event = request.headers.get('event')
    if (event === undefined) return void transaction.reply(489, { headers: [['Allow-Events', 'presence']] })
    if (byId.size >= MAX_SUBSCRIPTIONS) return void transaction.reply(503, { headers: [['Retry-After', '60']] })
    const presentity = presentityOf(edge, request)
    if (presentity === undefined) return void transaction.reply(404)
    const s: Subscription = {
      id: randomBytes(12).toString('base64url'),
      watcher: peer.kind === 'user' ? peer.user : undefined,
      presentity: presentity.slice(0, 1024),
      event: event.slice(0, 128),
      accept: tokens(request, 'accept')
        .slice(0, 32)
        .map((a) => a.slice(0, 128)),
      dialog: undefined,
      wire,
      expiresAt: 0,
      timer: undefined,
      waiting: undefined,
      sending: false,
      over: false,
    }
    byId.set(s.id, s)
    guard(decide(s, transaction, true), transaction)
  }

  const guard = (work: Promise<void>, transaction: ServerTransaction) => {
    work.catch((error: unknown) => {
      edge.log.error({ err: error }, 'subscription')
      transaction.reply(500)
    })
  }

  return {
    onRequest: begin,
    onInDialog(transaction, wire) {
      const key = dialogKeyOfRequest(transaction.request)
      const s = key === undefined ? undefined : byDialog.get(key)
      if (!s?.dialog) return false
      if (transaction.request.method !== 'SUBSCRIBE') {
        transaction.reply(405, { headers: [['Allow', 'SUBSCRIBE, NOTIFY']] })
        return true
      }
      const verdict = receiveInDialog(s.dialog, transaction.request)
      if (verdict.kind === 'refuse') {
        transaction.reply(verdict.status, { reason: verdict.reason })
        return true
      }
      s.dialog = verdict.dialog
      s.wire = wire
      guard(decide(s, transaction, false), transaction)
      return true
    },
    count: () => byId.size,
    async close() {
      await stopHearing()
      for (const s of [...byId.values()]) forget(s, false)
    },
  }
}

/** Of the Request-URI, be it a GRUU (RFC 5627 6.1); a phone that watches by To only is understood too. */
function presentityOf(edge: Edge, request: SipRequest): string | undefined {
  const uri = parseUri(request.uri)
  return meantBy(edge.bindings, uri?.user === undefined ? to(request)?.uri : uri)?.name || undefined
}

function contactOf(edge: Edge, wire: Wire): string {
  return `<sip:${edge.node}@${wire.sentBy}${transportParameter(wire.transport)}>`
}
