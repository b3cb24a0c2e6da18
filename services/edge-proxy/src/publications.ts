/** PUBLISH (RFC 3903): handed to the presence service, which keeps the state and makes the entity tags. */
import { PublishPresence } from '@tandem/contracts/presence.ts'
import { contentType, expires } from '@tandem/sip/message/read.ts'
import { parseUri, unescapeUser } from '@tandem/sip/message/uri.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { RequestHandler } from './dispatch.ts'
import type { Edge } from './edge.ts'

const MAX_BODY = 65_536
const DEFAULT_EXPIRES = 3600

export function createPublications(edge: Edge): RequestHandler {
  const publish = async (transaction: ServerTransaction, publisher: string) => {
    const { request } = transaction
    const event = request.headers.get('event')
    // RFC 3903 6 step 2
    if (event === undefined) return void transaction.reply(489, { headers: [['Allow-Events', 'presence']] })
    if (request.body.length > MAX_BODY) return void transaction.reply(413)
    const ifMatch = request.headers.get('sip-if-match')
    const type = contentType(request)?.type
    const outcome = await edge.bus.ask(PublishPresence, {
      publisher,
      presentity: unescapeUser(parseUri(request.uri)?.user ?? publisher).slice(0, 1024),
      event: (event.split(';', 1)[0] as string).trim().slice(0, 64),
      ...(ifMatch === undefined ? {} : { ifMatch: ifMatch.slice(0, 1024) }),
      expires: expires(request) ?? DEFAULT_EXPIRES,
      ...(type === undefined ? {} : { contentType: type.slice(0, 128) }),
      ...(request.body.length === 0 ? {} : { body: Buffer.from(request.body).toString('utf8') }),
    })
    if (outcome.kind !== 'answer') return void transaction.reply(503, { headers: [['Retry-After', '10']] })
    const { status, reason, etag, expires: granted } = outcome.answer
    const headers: [string, string][] = []
    // RFC 3903 6 step 6 and 11.3
    if (etag !== undefined) headers.push(['SIP-ETag', etag])
    if (granted !== undefined) headers.push([status === 423 ? 'Min-Expires' : 'Expires', String(granted)])
    if (status === 489) headers.push(['Allow-Events', 'presence'])
    transaction.reply(status, { reason: reason || undefined, headers })
  }
  return {
    onRequest(transaction, _wire, peer) {
      if (peer.kind !== 'user') return void transaction.reply(403)
      publish(transaction, peer.user).catch((error: unknown) => {
        edge.log.error({ err: error }, 'publication')
        transaction.reply(500)
      })
    },
  }
}
