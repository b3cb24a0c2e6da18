/**
 * The `Digest a="b", c=d` shape of WWW-Authenticate, Authorization and their Proxy- twins (RFC 3261 25.1 challenge,
 * credentials). Reads what the network sent; a malformed value gives undefined.
 */

/** Names lower case. `raw` is what stands between the quotes, escapes kept: RFC 7616 3.4 hashes `unq()` of that. */
export interface AuthParams {
  /** Lower case: `digest`, `basic` … */
  readonly scheme: string
  readonly raw: ReadonlyMap<string, string>
}

const MAX_PARAMS = 32
const TOKEN = "[-.!%*_+`'~0-9A-Za-z]+"
const SCHEME = new RegExp(`\\s*(${TOKEN})[ \\t]+`, 'y')
const PARAM = new RegExp(`\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s",;]+))\\s*(,|$)`, 'sy')

export function readAuthParams(value: string): AuthParams | undefined {
  SCHEME.lastIndex = 0
  const scheme = SCHEME.exec(value)
  if (!scheme) return undefined
  const raw = new Map<string, string>()
  PARAM.lastIndex = SCHEME.lastIndex
  for (let comma = true; comma; ) {
    const found = PARAM.exec(value)
    // A parameter said twice could be read differently by hash and by policy: refused as a whole.
    if (!found || raw.size >= MAX_PARAMS) return undefined
    const name = (found[1] as string).toLowerCase()
    if (raw.has(name)) return undefined
    raw.set(name, found[2] ?? (found[3] as string))
    comma = found[4] === ','
  }
  return { scheme: (scheme[1] as string).toLowerCase(), raw }
}

/** Resolves the quoted-pairs of a raw value. */
export function unquotePairs(raw: string): string {
  return raw.includes('\\') ? raw.replace(/\\(.)/gs, '$1') : raw
}

/** A quoted-string. Line ends cannot stand in one: they are dropped. */
export function quote(text: string): string {
  return `"${text.replace(/[\r\n]/g, '').replace(/["\\]/g, '\\$&')}"`
}
