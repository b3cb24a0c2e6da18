/** One request to a carrier and its final response. */
import type { SipRequest, SipResponse, SipUri } from '@tandem/sip/message/message.ts'
import type { TransactionLayer } from '@tandem/sip/transaction/layer.ts'
import type { Clock, Wire } from './edge.ts'

/** The final response, or undefined: none in time, or it could not be sent. */
export function finalResponse(
  parts: { readonly clock: Clock; readonly transactions: TransactionLayer },
  request: SipRequest,
  wire: Wire,
  limitMs: number,
): Promise<SipResponse | undefined> {
  const { clock, transactions } = parts
  return new Promise((done) => {
    const limit = clock.setTimer(limitMs, () => finish(undefined))
    const finish = (response: SipResponse | undefined) => {
      clock.clearTimer(limit)
      done(response)
    }
    transactions.request(request, wire, {
      onResponse: (response) => {
        if (response.status >= 200) finish(response)
      },
      onTimeout: () => finish(undefined),
      onTransportError: () => finish(undefined),
    })
  })
}

/** RFC 3261 10.2, 19.1.1: no user part, no header part; port and transport stay. */
export function requestTarget(uri: SipUri): string {
  const port = uri.port === undefined ? '' : `:${uri.port}`
  const transport = uri.params.get('transport')
  return `${uri.scheme}:${uri.host}${port}${transport === undefined ? '' : `;transport=${transport}`}`
}

/** host[:port] of a Request-URI. */
export function hostOf(uri: SipUri): string {
  return uri.port === undefined ? uri.host : `${uri.host}:${uri.port}`
}
