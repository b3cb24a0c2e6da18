/** Reliable provisional responses (RFC 3262) as they stand in messages. */
import type { SipMessage, SipRequest, SipResponse } from './message.ts'
import { readNumber, tokens } from './read.ts'

/** RFC 3262 3: may, must or must not our provisional responses to this INVITE be sent reliably? */
export function wantsReliable(invite: SipRequest): 'required' | 'supported' | 'no' {
  if (hasTag(invite, 'require')) return 'required'
  return hasTag(invite, 'supported') ? 'supported' : 'no'
}

/** RSeq of a response that was sent reliably; undefined for any other one (RFC 3262 4: a 100 never is one). */
export function reliableNumber(response: SipResponse): number | undefined {
  if (response.status <= 100 || response.status >= 200 || !hasTag(response, 'require')) return undefined
  return readNumber(response, 'rseq')
}

export interface RAck {
  readonly rseq: number
  readonly cseq: number
  /** Case sensitive (RFC 3262 7.2). */
  readonly method: string
}

/** What a PRACK acknowledges (RFC 3262 7.2); undefined when it is absent or malformed. */
export function readRAck(prack: SipRequest): RAck | undefined {
  const [, rseq, cseq, method] = /^\s*(\d{1,10})\s+(\d{1,10})\s+(\S+)\s*$/.exec(prack.headers.get('rack') ?? '') ?? []
  if (rseq === undefined || cseq === undefined || method === undefined) return undefined
  return { rseq: Number(rseq), cseq: Number(cseq), method }
}

function hasTag(message: SipMessage, field: string): boolean {
  return tokens(message, field).some((tag) => tag.toLowerCase() === '100rel')
}
