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

/** Of Diversion (RFC 5806 4) these say nothing of the house. */
const TOLD = ['reason', 'counter', 'limit', 'screen', 'privacy']
const NOBODY = 'sip:anonymous@anonymous.invalid'

/**
 * The Diversions among `headers` as a carrier may see them (edge.md E10, docs/adr/0116). Every host is our domain: where a
 * call was before is not told. A carrier that is not trusted sees telephone numbers: names and extensions of the house are
 * anonymous, and so is whoever wants it (RFC 7044 10.1.2, RFC 3323 4.1.1.3). That the call was diverted, and why, it sees.
 */
export function diversionsFor(headers: Fields, trusted: boolean, domain: string): Fields {
  return headers.flatMap(([name, value]) => {
    if (name.toLowerCase() !== 'diversion') return [[name, value] as const]
    const found = parseNameAddr(value)
    if (found === undefined) return []
    const { uri, params } = found
    const wanted = params.get('privacy')
    const hidden = !trusted && (isPrivate(wanted) || !NUMBER.test(uri.user ?? ''))
    const told = TOLD.flatMap((key) => {
      const said = params.get(key)
      // RFC 7044 10.1.2: what was wanted is done
      return said === undefined || (hidden && key === 'privacy') ? [] : [`;${key}=${said}`]
    })
    return [[name, `<${hidden ? NOBODY : `sip:${uri.user ?? 'unknown'}@${domain}`}>${told.join('')}`] as const]
  })
}

/** As carriers write it; an extension is shorter. */
const NUMBER = /^(?:\+\d{3,15}|\d{7,15})$/

/** RFC 5806 4: the name alone is in no entry of ours. */
const isPrivate = (privacy: string | undefined): boolean => privacy === 'full' || privacy === 'uri'

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
    const privacy = isPrivate(params.get('privacy')) ? '?Privacy=history' : ''
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
  // RFC 7044 10.1.1: wanted for all entries by the Privacy of the request, or for one by that of its URI
  const all = request.headers
    .getAll('privacy')
    .some((value) => /(?:^|[\s;,])(?:history|header)(?:$|[\s;,])/i.test(value))
  const own = elements(request, 'diversion').filter((value) => value.length <= LONGEST && parseNameAddr(value))
  if (own.length > 0) return own.slice(0, MOST).map((value) => (all ? privately(value) : value))
  const history = elements(request, 'history-info')
    .slice(0, 2 * MOST)
    .flatMap((value) => parseNameAddr(value) ?? [])
  const found: string[] = []
  for (let i = 1; i < history.length; i++) {
    const cause = history[i]?.uri.params.get('cause')
    const { user, host } = parseUri(history[i - 1]?.uriText ?? '') ?? {}
    if (cause === undefined || host === undefined) continue
    const reason = CAUSES.find(([, code]) => code === cause)?.[0] ?? 'unknown'
    const wanted = all || /[?&]privacy=[^&]*history/i.test(history[i - 1]?.uriText ?? '')
    const value = `<sip:${user === undefined ? '' : `${user}@`}${host}>;reason=${reason}`
    found.unshift(wanted ? privately(value) : value)
  }
  return found.filter((value) => value.length <= LONGEST).slice(0, MOST)
}

const privately = (value: string): string =>
  isPrivate(parseNameAddr(value)?.params.get('privacy')) ? value : `${value};privacy=full`
