/**
 * URIs and name-addr (RFC 3261 19.1, 20.10, 25.1; RFC 3966 for tel). Text comes from the network: a malformed text
 * gives undefined, nothing throws.
 */
import type { NameAddr, SipUri } from './message.ts'

const NO_PARAMS: ReadonlyMap<string, string> = new Map()

/** Reads a URI; undefined when it is malformed. */
export function parseUri(text: string): SipUri | undefined {
  const colon = text.indexOf(':')
  if (colon < 1) return undefined
  const scheme = text.slice(0, colon).toLowerCase()
  if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) return undefined
  const rest = text.slice(colon + 1)
  if (/[\s<>"]/.test(rest) || rest === '') return undefined
  if (scheme === 'tel') {
    const [user = '', ...params] = rest.split(';')
    return uri(scheme, { user, params: readParams(params) })
  }
  if (scheme !== 'sip' && scheme !== 'sips') return uri(scheme, { opaque: rest })
  const at = rest.indexOf('@')
  let userinfo = at < 0 ? undefined : rest.slice(0, at)
  let password: string | undefined
  if (userinfo !== undefined) {
    const sep = userinfo.indexOf(':')
    if (sep >= 0) {
      password = userinfo.slice(sep + 1)
      userinfo = userinfo.slice(0, sep)
    }
    if (userinfo === '') return undefined
  }
  const question = rest.indexOf('?', at + 1)
  const [hostport = '', ...params] = rest.slice(at + 1, question < 0 ? undefined : question).split(';')
  const parts = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?$/.exec(hostport)
  if (!parts) return undefined
  const port = parts[2] === undefined ? undefined : Number(parts[2])
  if (port !== undefined && port > 65535) return undefined
  return uri(scheme, {
    user: userinfo,
    password,
    host: (parts[1] as string).toLowerCase(),
    port,
    params: readParams(params),
    headers: question < 0 ? undefined : rest.slice(question + 1),
  })
}

function uri(scheme: string, parts: { [K in keyof SipUri]?: SipUri[K] | undefined }): SipUri {
  return {
    scheme,
    user: parts.user,
    password: parts.password,
    host: parts.host ?? '',
    port: parts.port,
    params: parts.params ?? NO_PARAMS,
    headers: parts.headers,
    opaque: parts.opaque,
  }
}

function readParams(params: string[]): ReadonlyMap<string, string> {
  if (params.length === 0) return NO_PARAMS
  const map = new Map<string, string>()
  for (const param of params) {
    const eq = param.indexOf('=')
    const name = (eq < 0 ? param : param.slice(0, eq)).toLowerCase()
    if (!map.has(name)) map.set(name, eq < 0 ? '' : param.slice(eq + 1))
  }
  return map
}

export function writeUri(uri: SipUri): string {
  if (uri.opaque !== undefined) return `${uri.scheme}:${uri.opaque}`
  let text = `${uri.scheme}:`
  if (uri.user !== undefined) {
    text += uri.user
    if (uri.password !== undefined) text += `:${uri.password}`
    if (uri.scheme !== 'tel') text += '@'
  }
  text += uri.host
  if (uri.port !== undefined) text += `:${uri.port}`
  for (const [name, value] of uri.params) text += value === '' ? `;${name}` : `;${name}=${value}`
  if (uri.headers !== undefined) text += `?${uri.headers}`
  return text
}

/** The user part with its escapes resolved, for comparing; an escape that is none stays as it is. */
export function unescapeUser(user: string): string {
  if (!user.includes('%')) return user
  return user.replace(/(?:%[0-9a-fA-F]{2})+/g, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'))
}

/** RFC 3261 19.1.4. */
export function sameUri(a: SipUri, b: SipUri): boolean {
  if (a.scheme !== b.scheme || a.opaque !== b.opaque) return false
  if (unescapeUser(a.user ?? '') !== unescapeUser(b.user ?? '') || (a.user === undefined) !== (b.user === undefined)) {
    return false
  }
  if (a.password !== b.password || a.host !== b.host || a.port !== b.port) return false
  for (const [name, value] of a.params) {
    const other = b.params.get(name)
    if (other === undefined ? MUST_MATCH.has(name) : other.toLowerCase() !== value.toLowerCase()) return false
  }
  for (const name of b.params.keys()) if (MUST_MATCH.has(name) && !a.params.has(name)) return false
  return (a.headers ?? '') === (b.headers ?? '')
}

/** RFC 3261 19.1.4: in one of the two only, these never match; any other parameter is ignored then. */
const MUST_MATCH = new Set(['user', 'ttl', 'method', 'maddr', 'transport'])

/** Reads name-addr or addr-spec with its header parameters; undefined when malformed. */
export function parseNameAddr(text: string): NameAddr | undefined {
  let displayName: string | undefined
  let at = 0
  const value = text.trim()
  if (value.startsWith('"')) {
    const quoted = /^"((?:[^"\\]|\\.)*)"\s*(?=<)/s.exec(value)
    if (!quoted) return undefined
    displayName = (quoted[1] as string).replace(/\\(.)/gs, '$1')
    at = quoted[0].length
  }
  const open = value.indexOf('<', at)
  let uriText: string
  let rest: string
  if (open >= 0) {
    if (displayName === undefined) displayName = value.slice(0, open).trim() || undefined
    const close = value.indexOf('>', open)
    if (close < 0) return undefined
    uriText = value.slice(open + 1, close)
    rest = value.slice(close + 1)
  } else {
    // RFC 3261 20.10: without angle brackets every parameter belongs to the header, not to the URI.
    const semi = value.indexOf(';')
    uriText = (semi < 0 ? value : value.slice(0, semi)).trim()
    rest = semi < 0 ? '' : value.slice(semi)
  }
  const uri = parseUri(uriText)
  const params = parseHeaderParams(rest)
  return uri && params ? { displayName, uri, uriText, params } : undefined
}

/** `;a=b;c="d"` -> map; undefined when malformed. */
export function parseHeaderParams(text: string): ReadonlyMap<string, string> | undefined {
  if (text.trim() === '') return NO_PARAMS
  const map = new Map<string, string>()
  const param = /\s*;\s*([^\s;="<>,]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;"]+))?\s*/gsy
  while (param.lastIndex < text.length) {
    const found = param.exec(text)
    if (!found) return undefined
    const raw = found[2] ?? ''
    map.set((found[1] as string).toLowerCase(), raw.startsWith('"') ? raw.slice(1, -1).replace(/\\(.)/gs, '$1') : raw)
  }
  return map
}

/** Writes a name-addr; always with angle brackets, the display name quoted. */
export function writeNameAddr(address: {
  readonly displayName?: string | undefined
  readonly uri: SipUri | string
  readonly params?: ReadonlyMap<string, string> | undefined
}): string {
  const uriText = typeof address.uri === 'string' ? address.uri : writeUri(address.uri)
  let text = address.displayName === undefined ? '' : `"${address.displayName.replace(/["\\]/g, '\\$&')}" `
  text += `<${uriText}>`
  if (address.params) for (const [name, value] of address.params) text += writeParam(name, value)
  return text
}

/** `;name=value`, quoted where the value is no token or host. */
export function writeParam(name: string, value: string): string {
  if (value === '') return `;${name}`
  return /^[\w.!%*+`'~[\]:-]+$/.test(value) ? `;${name}=${value}` : `;${name}="${value.replace(/["\\]/g, '\\$&')}"`
}
