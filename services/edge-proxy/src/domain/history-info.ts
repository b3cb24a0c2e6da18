/**
 * The way of a call that was forwarded, in both tongues: Diversion (RFC 5806) as it goes through the house, History-Info
 * (RFC 7044) beside it, mapped as RFC 7544 says. Pure.
 */
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { elements } from '@tandem/sip/message/read.ts'
import { parseNameAddr, parseUri } from '@tandem/sip/message/uri.ts'

type Fields = readonly (readonly [string, string])[]

const MOST = 10
const LONGEST = 1024
/** RFC 7544 4.1: reasons of Diversion and causes of RFC 4458 in History-Info. */
const CAUSES: readonly (readonly [reason: string, cause: string])[] = [
  ['user-busy', '486'],
  ['no-answer', '408'],
  ['unconditional', '302'],
  ['deflection', '487'],
  ['unavailable', '503'],
  ['follow-me', '302'],
  ['away', '302'],
  ['time-of-day', '302'],
  ['do-not-disturb', '302'],
  ['out-of-service', '404'],
  ['unknown', '404'],
]

/** History-Info beside the Diversions among `headers`; `uri`: where the call goes now. */
export function historyInfo(headers: Fields, uri: string): Fields {
  const diversions = headers.flatMap(([name, value]) => (name.toLowerCase() === 'diversion' ? [value] : []))
  // RFC 7544 3.2: the first Diversion is the last that was; History-Info tells in the order of time
  const entries = diversions.flatMap((value) => parseNameAddr(value) ?? []).reverse()
  if (entries.length === 0) return []
  const told: string[] = []
  let index = '1'
  let reason: string | undefined
  for (const { uriText, params } of entries) {
    const privacy = params.get('privacy') === 'full' ? '?Privacy=history' : ''
    told.push(`<${withCause(uriText, reason)}${privacy}>;index=${index}${parent(index)}`)
    index += '.1'
    reason = params.get('reason') ?? 'unknown'
  }
  told.push(`<${withCause(uri, reason)}>;index=${index}${parent(index)}`)
  return [['History-Info', told.join(', ')]]
}

/** RFC 7044 5: mp, the entry that was mapped to this one. */
const parent = (index: string): string => (index === '1' ? '' : `;mp=${index.slice(0, index.lastIndexOf('.'))}`)

/** RFC 4458 2: why a call came here is a parameter of the URI that it was sent to. */
function withCause(uri: string, reason: string | undefined): string {
  if (reason === undefined) return uri
  const cause = CAUSES.find(([name]) => name === reason)?.[1] ?? '404'
  return `${uri};cause=${cause}`
}

/** What diverted a call before it came: Diversion, or History-Info read as such; the last diversion first. */
export function diversionsOf(request: SipRequest): string[] {
  const own = elements(request, 'diversion').filter((value) => value.length <= LONGEST && parseNameAddr(value))
  if (own.length > 0) return own.slice(0, MOST)
  const history = elements(request, 'history-info')
    .slice(0, 2 * MOST)
    .flatMap((value) => parseNameAddr(value) ?? [])
  const found: string[] = []
  for (let i = 1; i < history.length; i++) {
    const cause = history[i]?.uri.params.get('cause')
    const { user, host } = parseUri(history[i - 1]?.uriText ?? '') ?? {}
    if (cause === undefined || host === undefined) continue
    const reason = CAUSES.find(([, code]) => code === cause)?.[0] ?? 'unknown'
    found.unshift(`<sip:${user === undefined ? '' : `${user}@`}${host}>;reason=${reason}`)
  }
  return found.filter((value) => value.length <= LONGEST).slice(0, MOST)
}
