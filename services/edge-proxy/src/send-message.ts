/** SIP MESSAGE (RFC 3428): from our users to our users, and for services that ask `edge.v1.send-message`. */
import { randomBytes } from 'node:crypto'
import { SendMessage } from '@tandem/contracts/edge.ts'
import { makeRequest } from '@tandem/sip/message/make.ts'
import { maxForwards } from '@tandem/sip/message/read.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import type { RequestHandler } from './dispatch.ts'
import { meantBy } from './domain/meant-device.ts'
import type { Doorkeeper } from './doorkeeper.ts'
import type { Edge, Wire } from './edge.ts'

const MAX_BODY = 65_536
/** The asker waits 5 s. */
const DELIVER_MS = 4_500

interface Text {
  readonly from: string
  readonly contentType: string
  readonly body: string | Uint8Array
  readonly hops?: number | undefined
}

interface Target {
  readonly uri: string
  readonly wire: Wire
  readonly route?: readonly string[]
}

export interface Messages extends RequestHandler {
  close(): Promise<void>
}

export function createMessages(edge: Edge, door: Pick<Doorkeeper, 'userOf'>): Messages {
  const { clock } = edge

  const deliverOne = (target: Target, text: Text): Promise<number> =>
    new Promise((done) => {
      const limit = clock.setTimer(DELIVER_MS, () => finish(408))
      const finish = (status: number) => {
        clock.clearTimer(limit)
        done(status)
      }
      const request = makeRequest({
        method: 'MESSAGE',
        uri: target.uri,
        from: `${text.from};tag=${randomBytes(6).toString('hex')}`,
        to: `<${target.uri}>`,
        callId: randomBytes(12).toString('hex'),
        cseq: 1,
        maxForwards: text.hops,
        route: target.route,
        body: text.body,
        contentType: text.contentType,
      })
      edge.transactions.request(request, target.wire, {
        onResponse: (response) => {
          if (response.status >= 200) finish(response.status)
        },
        onTimeout: () => finish(408),
        onTransportError: () => finish(503),
      })
    })

  const deliver = async (targets: readonly Target[], text: Text): Promise<number> => {
    const results = await Promise.all(targets.map((target) => deliverOne(target, text)))
    return best(results)
  }

  const targetsOfUser = (user: string, instance?: string): Target[] =>
    edge.bindings.of(user, instance).flatMap((binding) => {
      const wire = binding.wire()
      return wire ? [{ uri: binding.contact.uriText, wire, route: binding.path }] : []
    })

  const targetsOf = async (text: string): Promise<Target[]> => {
    const uri = parseUri(text)
    if (uri?.scheme !== 'sip' && uri?.scheme !== 'sips') return []
    const { domain, edge: configured } = edge.config()
    if (uri.host === domain.toLowerCase()) {
      const meant = meantBy(edge.bindings, uri)
      const user = meant && door.userOf(meant.name)
      return user === undefined ? [] : targetsOfUser(user, meant?.instance)
    }
    const listener = Object.keys(configured.listen)[0]
    if (listener === undefined) return []
    const [wire] = await edge.wires.toUri(listener, uri)
    return wire ? [{ uri: text, wire }] : []
  }

  const stop = edge.bus.answer(SendMessage, async ({ to, contentType, body }) => {
    try {
      const targets = await targetsOf(to)
      if (targets.length === 0) return { delivered: false, status: 0, detail: 'nobody is registered there' }
      const status = await deliver(targets, { from: `<sip:tandem@${edge.config().domain}>`, contentType, body })
      return { delivered: status >= 200 && status < 300, status }
    } catch (error) {
      return { delivered: false, status: 0, detail: (error as Error).message.slice(0, 1024) }
    }
  })

  return {
    onRequest(transaction, _wire, peer) {
      const { request } = transaction
      if (peer.kind !== 'user') return void transaction.reply(403)
      if (request.body.length > MAX_BODY) return void transaction.reply(413)
      const meant = meantBy(edge.bindings, parseUri(request.uri))
      const user = meant && door.userOf(meant.name)
      if (user === undefined) return void transaction.reply(404)
      const targets = targetsOfUser(user, meant?.instance)
      if (targets.length === 0) return void transaction.reply(480)
      const text: Text = {
        from: `<sip:${peer.user}@${edge.config().domain}>`,
        contentType: request.headers.get('content-type') ?? 'text/plain',
        body: request.body,
        hops: (maxForwards(request) ?? 70) - 1,
      }
      deliver(targets, text).then(
        (status) => void transaction.reply(status),
        () => void transaction.reply(500),
      )
    },
    close: stop,
  }
}

/** A 2xx if there is one, else the most telling refusal: the lowest class that is not a silence (RFC 3261 16.7). */
function best(results: readonly number[]): number {
  const good = results.find((s) => s >= 200 && s < 300)
  if (good !== undefined) return good
  return results.find((s) => s >= 600) ?? results.filter((s) => s !== 408).sort((a, b) => a - b)[0] ?? results[0] ?? 480
}
