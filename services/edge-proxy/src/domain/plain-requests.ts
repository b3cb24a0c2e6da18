/** Requests inside an answered call that change nothing of it: INFO passes, OPTIONS is answered, others are refused. */
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import { SDP_TYPE } from './call-body.ts'
import type { CallLeg } from './call-leg.ts'
import type { DialogAnswer, DialogAsk } from './dialog-request.ts'
import { ALLOW, passInfo, SUPPORTED } from './leg-headers.ts'

interface Asks {
  other(leg: CallLeg): CallLeg
  request(leg: CallLeg, ask: DialogAsk, done: DialogAnswer): unknown
}

export function passOnInfo(session: Asks, leg: CallLeg, transaction: ServerTransaction): void {
  const { request } = transaction
  const ask: DialogAsk = {
    method: 'INFO',
    headers: passInfo(request),
    body: request.body,
    contentType: request.headers.get('content-type'),
  }
  session.request(session.other(leg), ask, (response) => {
    if (!transaction.answered) transaction.reply(response === undefined ? 408 : shownStatus(response.status))
  })
}

/** A challenge or a redirection of the other side is nothing that this side could answer. */
function shownStatus(status: number): number {
  return status === 401 || status === 407 || (status >= 300 && status < 400) ? 500 : status
}

export function answerOptions(transaction: ServerTransaction): void {
  transaction.reply(200, {
    headers: [
      ['Allow', ALLOW],
      ['Accept', SDP_TYPE],
      ['Supported', SUPPORTED],
    ],
  })
}

export function refuseUnknown(transaction: ServerTransaction): void {
  const { method } = transaction.request
  // RFC 6665 8.3.2: 489 for a subscription that we do not have
  if (method === 'NOTIFY' || method === 'SUBSCRIBE') transaction.reply(489)
  else if (method === 'PRACK') transaction.reply(481)
  else transaction.reply(405, { headers: [['Allow', ALLOW]] })
}
