/** What a TLS listener asks of those who connect: its own rule, and that of the trunks that call in on it. */
import type { Listener, Trunk } from '@tandem/config/defaults.ts'

/** The CAs that Node trusts, where a trunk names none of its own. */
export const SYSTEM = 'system'

export interface TlsDemand {
  /** Ask for a certificate at all: phones and browsers are not bothered where nobody needs one. */
  readonly request: boolean
  /** No connection without a certificate of one of the CAs. */
  readonly require: boolean
  /** Files of CAs as the configuration names them, or SYSTEM. */
  readonly authorities: readonly string[]
}

export function demandOf(listener: Listener, trunks: Iterable<Trunk>, twins: readonly string[] = []): TlsDemand {
  const authorities = new Set<string>()
  if (listener.clients) authorities.add(listener.clients.ca)
  for (const { tls, listener: on } of trunks) {
    if (!tls?.clientCertificate || (on !== listener.name && !twins.includes(on))) continue
    authorities.add(tls.ca ?? SYSTEM)
  }
  return {
    request: authorities.size > 0,
    require: listener.clients?.certificate === 'required',
    authorities: [...authorities],
  }
}
