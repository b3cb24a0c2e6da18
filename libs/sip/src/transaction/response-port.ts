import type { SipRequest } from '../message/message.ts'
import { topVia } from '../message/read.ts'

/**
 * The port to which responses go over UDP (RFC 3261 18.2.2, RFC 3581 4). To be asked before `withReceived`.
 *
 * With rport it is the one that the request came from; without, the one of sent-by, 5060 when there is none. A sender
 * whose sent-by is not the address that we see sits behind a NAT (or says a name): there only the port that it came
 * from leads back, so it is taken although nobody asked for it.
 */
export function responsePort(request: SipRequest, address: string, port: number): number {
  const via = topVia(request)
  if (via === undefined || via.params.has('rport')) return port
  return via.host === address || via.host === `[${address}]` ? (via.port ?? 5060) : port
}
