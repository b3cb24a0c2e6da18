/**
 * The word of an edge itself, by SIP, when its lease is not heard any more (docs/adr/0150): who answers lives and is only
 * cut off from NATS. Its calls stay its own, and its phones are reached through it.
 *
 *   OPTIONS sip:alive.<nonce>.<proof>@its address   ->   200, Contact: <sip:alive.<proof>@…>
 *
 * Both proofs are made with the secret of the cluster, of the node, its life and the nonce: nobody else can ask, and no
 * other life can answer.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { makeRequest } from '@tandem/sip/message/make.ts'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import { contacts } from '@tandem/sip/message/read.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import type { TransactionLayer } from '@tandem/sip/transaction/layer.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import { derivedKey } from './domain/flow-token.ts'
import { type HopAddress, hostPort } from './domain/own-hop.ts'
import type { Clock, Cluster, Wires } from './edge.ts'

/** Nobody waits longer, ms. */
const WAIT_MS = 1000
const ASKED = /^alive\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22})$/
/** 128 bits in base64url. */
const PROOF_LENGTH = 22

type Life = Cluster['self']

export interface DirectWord {
  /** True: it lives, now. Never rejects. */
  of(life: Life, at: HopAddress): Promise<boolean>
  /** True: it was such a question, and is answered. */
  answer(transaction: ServerTransaction): boolean
}

export interface DirectWordParts {
  readonly clock: Clock
  readonly self: Life
  readonly secret: Cluster['secret']
  readonly wires: Pick<Wires, 'to'>
  readonly transactions: Pick<TransactionLayer, 'request'>
}

export function createDirectWord(parts: DirectWordParts): DirectWord {
  const { clock, self } = parts

  const proof = (what: 'ask' | 'answer', { edge, life }: Life, nonce: string): string | undefined => {
    const secret = parts.secret()
    if (secret === undefined) return undefined
    const text = [what, edge, life, nonce].join(' ')
    return createHmac('sha256', derivedKey('alive', secret)).update(text).digest('base64url').slice(0, PROOF_LENGTH)
  }

  const ask = async (life: Life, at: HopAddress): Promise<boolean> => {
    const nonce = randomBytes(12).toString('base64url')
    const asking = proof('ask', life, nonce)
    const wanted = proof('answer', life, nonce)
    if (asking === undefined || wanted === undefined) return false
    const wire = await parts.wires.to(at.listener, at.transport, at.address, at.port)
    const host = hostPort(at)
    const request = makeRequest({
      method: 'OPTIONS',
      uri: `sip:alive.${nonce}.${asking}@${host}`,
      from: `<sip:${wire.sentBy}>;tag=${randomBytes(6).toString('hex')}`,
      to: `<sip:${host}>`,
      callId: randomBytes(12).toString('hex'),
      cseq: 1,
    })
    return await new Promise((done) => {
      const no = () => done(false)
      parts.transactions.request(request, wire, {
        onResponse: (response) => {
          if (response.status >= 200) done(same(answerIn(response), wanted))
        },
        onTimeout: no,
        onTransportError: no,
      })
    })
  }

  return {
    of(life, at) {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const late = clock.setTimer(WAIT_MS, () => resolve(false))
      ask(life, at).then(resolve, () => resolve(false))
      return promise.finally(() => clock.clearTimer(late))
    },
    answer(transaction) {
      const { request } = transaction
      const [, nonce, asked] = ASKED.exec(parseUri(request.uri)?.user ?? '') ?? []
      // carriers and phones send OPTIONS all the time: nothing is proven for them
      if (nonce === undefined || asked === undefined || !same(asked, proof('ask', self, nonce))) return false
      const { sentBy } = transaction.wire
      transaction.reply(200, { headers: [['Contact', `<sip:alive.${proof('answer', self, nonce)}@${sentBy}>`]] })
      return true
    },
  }
}

function answerIn(response: SipResponse): string {
  const found = contacts(response)
  const user = (found === '*' ? undefined : found[0]?.uri.user) ?? ''
  return user.startsWith('alive.') ? user.slice('alive.'.length) : ''
}

function same(a: string, b: string | undefined): boolean {
  return b !== undefined && a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
