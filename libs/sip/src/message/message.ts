/**
 * The shapes of SIP messages (RFC 3261 section 7) as every other file of this library sees them.
 *
 * Text is kept as received; values are read out on demand with the functions of `read.ts` and `uri.ts`.
 */
import type { HeaderList } from './header-list.ts'

/** A SIP URI or any other URI that may stand in a Request-URI or name-addr (RFC 3261 19.1, RFC 3966 for tel). */
export interface SipUri {
  /** Lower case: `sip`, `sips`, `tel`, or an unknown scheme. */
  readonly scheme: string
  /** As received, escapes kept, or undefined. For `tel` the number. Use `unescapeUser` to compare. */
  readonly user: string | undefined
  readonly password: string | undefined
  /** Lower case; IPv6 keeps its brackets. Empty for `tel` and unknown schemes. */
  readonly host: string
  readonly port: number | undefined
  /** URI parameters in order; names lower case; a parameter without a value has value ''. */
  readonly params: ReadonlyMap<string, string>
  /** URI headers (`?a=b&c=d`), raw, without the question mark. */
  readonly headers: string | undefined
  /** For unknown schemes: everything after the colon. */
  readonly opaque: string | undefined
}

/** name-addr or addr-spec with header parameters: From, To, Contact, Route, P-Asserted-Identity … (RFC 3261 20.10). */
export interface NameAddr {
  readonly displayName: string | undefined
  readonly uri: SipUri
  /** The URI exactly as received: what goes into a Request-URI or Route. */
  readonly uriText: string
  /** Header parameters (`tag`, `expires`, `q` …), names lower case, values with quotes removed. */
  readonly params: ReadonlyMap<string, string>
}

/** One element of a Via header field (RFC 3261 20.42, RFC 3581). */
export interface Via {
  /** Upper case: UDP, TCP, TLS, WS, WSS, SCTP, or unknown. */
  readonly transport: string
  readonly host: string
  readonly port: number | undefined
  readonly params: ReadonlyMap<string, string>
}

export interface CSeq {
  readonly sequence: number
  readonly method: string
}

export interface SipRequest {
  readonly kind: 'request'
  /** Case-sensitive token (RFC 3261 7.1). */
  readonly method: string
  /** Request-URI as received. */
  readonly uri: string
  readonly headers: HeaderList
  readonly body: Uint8Array
}

export interface SipResponse {
  readonly kind: 'response'
  readonly status: number
  readonly reason: string
  readonly headers: HeaderList
  readonly body: Uint8Array
}

export type SipMessage = SipRequest | SipResponse

/**
 * What became of bytes from the network. The parser never throws.
 *
 * - `message`: well formed; `length` bytes were consumed (a stream goes on from there).
 * - `refuse`: a request that must be answered with `status` (400, 413, 505 …); `request` holds as much as could be
 *   read (Via, From, To, Call-ID, CSeq) so that a response can be made of it.
 * - `drop`: nothing that could or should be answered (bad response, ACK with errors, garbage).
 * - `more`: stream only, the message is not complete yet.
 * - `close`: stream only, framing is lost; `refuse` may carry a last answer.
 * - `keep-alive`: CRLF CRLF (answer with CRLF, RFC 5626 4.4.1) or CRLF on a stream or datagram.
 */
export type ParseOutcome =
  | { readonly kind: 'message'; readonly message: SipMessage; readonly length: number }
  | {
      readonly kind: 'refuse'
      readonly status: number
      readonly reason: string
      readonly request: SipRequest
      readonly length: number
    }
  | { readonly kind: 'drop'; readonly why: string; readonly length: number }
  | { readonly kind: 'more' }
  | {
      readonly kind: 'close'
      readonly why: string
      readonly refusal?: { status: number; reason: string; request: SipRequest }
    }
  | { readonly kind: 'keep-alive'; readonly ping: boolean; readonly length: number }
