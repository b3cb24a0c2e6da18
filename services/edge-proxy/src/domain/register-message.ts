/** A REGISTER as the registrar wants it, and its 200 (RFC 3261 10.3, RFC 3327, RFC 5626 6). Pure. */
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { callId, contacts, cseq, elements, expires, to, tokens, vias } from '@tandem/sip/message/read.ts'
import { unescapeUser } from '@tandem/sip/message/uri.ts'
import type { Wire } from '../edge.ts'
import { type BoundContact, contactValues, type RegisterFacts } from './registrar.ts'

const MAX_PATH = 8

/** Undefined: a header field is malformed. */
export function readRegister(
  request: SipRequest,
  wire: Wire,
  site: string | undefined,
  domain: string,
): RegisterFacts | undefined {
  const sequence = cseq(request)?.sequence
  const found = contacts(request)
  const written = to(request)?.uri.user ?? ''
  const path = elements(request, 'path')
  // RFC 3261 10.3 step 6: `*` stands alone
  const star = elements(request, 'contact').includes('*')
  if (sequence === undefined || path.length > MAX_PATH || (star && found !== '*')) return undefined
  if (
    found !== '*' &&
    (found.length !== elements(request, 'contact').length || found.some((c) => c.uriText.length > 2048))
  ) {
    return undefined
  }
  return {
    contacts: found,
    aor: { user: unescapeUser(written), domain: domain.toLowerCase(), written },
    expires: expires(request),
    callId: callId(request),
    cseq: sequence,
    path,
    supported: tokens(request, 'supported').map((t) => t.toLowerCase()),
    firstHop: vias(request).length === 1,
    flow: wire.flow,
    source: `${wire.remoteAddress.includes(':') ? `[${wire.remoteAddress}]` : wire.remoteAddress}:${wire.remotePort}`,
    transport: wire.transport,
    site,
    userAgent: request.headers.get('user-agent')?.slice(0, 256),
  }
}

export function answerHeaders(
  bindings: readonly BoundContact[],
  facts: RegisterFacts,
  /** The flow is one of outbound; `flowTimerS`: s without a sign of the phone after which it counts as dead. */
  outbound: { readonly flowTimerS: number | undefined } | undefined,
  now: number,
  gruus: (b: BoundContact) => string,
): (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = contactValues(
    bindings,
    now,
    facts.supported.includes('gruu') ? gruus : undefined,
  ).map((value) => ['Contact', value] as const)
  headers.push(['Date', new Date(now).toUTCString()])
  // RFC 3327 5.3: the path goes back to the phone
  for (const path of facts.path) headers.push(['Path', path])
  // RFC 5626 6
  if (outbound) headers.push(['Require', 'outbound'], ['Supported', 'path, outbound'])
  else headers.push(['Supported', 'path'])
  // RFC 5626 5.4: "MAY include a Flow-Timer header field if the response contains the outbound option-tag"
  if (outbound?.flowTimerS !== undefined) headers.push(['Flow-Timer', String(outbound.flowTimerS)])
  return headers
}
