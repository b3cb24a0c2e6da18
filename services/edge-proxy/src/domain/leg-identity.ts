/** Who is shown to whom: From, To, P-Asserted-Identity and Privacy of the INVITEs that we make (RFC 3261 8.1.1, 3323, 3325). */

export interface ShownCaller {
  /** E.164 or whatever this side is to see; empty: withheld. */
  readonly number: string
  readonly display?: string | undefined
  /** RFC 3323: the caller asked for it, or policy does. */
  readonly withheld: boolean
}

export interface Identity {
  readonly from: string
  readonly to: string
  readonly headers: readonly (readonly [string, string])[]
}

export interface IdentityQuestion {
  readonly caller: ShownCaller
  /** User part and host of To. */
  readonly called: string
  readonly calledHost: string
  /** The enterprise's SIP domain: no address of ours or of a phone stands in From. */
  readonly domain: string
  readonly tag: string
  /** RFC 3325: only a peer that is trusted sees P-Asserted-Identity. */
  readonly trusted: boolean
  /** What was proven of the number (3GPP TS 24.229 7.2A.20). */
  readonly verstat?: string | undefined
}

export function identityOf(q: IdentityQuestion): Identity {
  const { caller, tag } = q
  const hidden = caller.withheld || caller.number === ''
  const headers: [string, string][] = []
  const own = `<sip:${userPart(caller.number)}@${q.domain}>`
  const proven = q.verstat === undefined ? own : `<sip:${userPart(caller.number)};verstat=${q.verstat}@${q.domain}>`
  if (q.trusted && caller.number !== '') headers.push(['P-Asserted-Identity', `${quoted(caller.display)}${proven}`])
  // RFC 3323 4.2: what says that the caller wants to stay unknown
  if (caller.withheld) headers.push(['Privacy', 'id'])
  // RFC 3261 8.1.1.3: "Anonymous" and a URI without meaning; RFC 3323 4.1.1.3: anonymous.invalid
  const from = hidden ? '"Anonymous" <sip:anonymous@anonymous.invalid>' : `${quoted(caller.display)}${own}`
  return { from: `${from};tag=${tag}`, to: `<sip:${userPart(q.called)}@${q.calledHost}>`, headers }
}

/** RFC 3261 25.1: what may stand in a user part stays, all else is escaped. */
export function userPart(text: string): string {
  if (/^[A-Za-z0-9\-_.!~*'()&=+$,;?/]*$/.test(text)) return text
  return text.replace(/[^A-Za-z0-9\-_.!~*'()&=+$,;?/]/gu, (c) =>
    [...Buffer.from(c, 'utf8')].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}

/** A display name as quoted-string; control characters cannot cross. */
function quoted(display: string | undefined): string {
  if (display === undefined || display === '') return ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not pass
  return `"${display.replace(/[\u0000-\u001f\u007f]/g, ' ').replace(/["\\]/g, '\\$&')}" `
}
