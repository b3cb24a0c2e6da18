/** Whose certificate is this? The SIP domain identities of an X.509 certificate (RFC 5922 7.1, 7.2). */

/** A certificate as `tls.getPeerCertificate` gives it, as far as names go. */
export interface NamedCertificate {
  /** `DNS:a.example, URI:sip:b.example, IP Address:192.0.2.1` */
  readonly subjectaltname?: string | undefined
  readonly subject?: { readonly CN?: string | readonly string[] | undefined } | undefined
}

const MAX_NAMES = 256

/** In lower case. IP addresses count too: carriers are often named by nothing else (docs/adr/0050). */
export function sipIdentities(certificate: NamedCertificate): string[] {
  const { subjectaltname } = certificate
  if (subjectaltname === undefined) {
    // RFC 5922 7.1 step 2: only without a subjectAltName MAY the common name be taken
    const common = certificate.subject?.CN
    return [common ?? []].flat().filter(isDomain).map(lower)
  }
  const names = alternatives(subjectaltname)
  const sip = names.flatMap(([type, value]) => (type === 'URI' ? sipDomain(value) : []))
  // RFC 5922 7.1: DNS names if and only if there is no sip URI
  const domains = sip.length > 0 ? sip : names.flatMap(([type, value]) => (type === 'DNS' ? [value] : []))
  const addresses = names.flatMap(([type, value]) => (type === 'IP Address' ? [value] : []))
  return [...domains, ...addresses].map(lower)
}

/** RFC 5922 7.2: the whole name, in any letters; no wildcard, no suffix. */
export function namesOne(identities: readonly string[], wanted: readonly string[]): boolean {
  return wanted.some((name) => identities.includes(lower(name)))
}

/** RFC 5922 7.1: the host part of a sip URI without user part; any other URI is nobody's. */
function sipDomain(uri: string): string[] {
  const host = /^sip:([^@;?:/]+)(?::\d+)?(?:[;?].*)?$/i.exec(uri)?.[1]
  return host === undefined ? [] : [host]
}

/** Node writes a value with commas or quotes in it as a JSON string. */
function alternatives(text: string): [type: string, value: string][] {
  const found: [string, string][] = []
  for (const part of text.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)) {
    if (found.length >= MAX_NAMES) break
    const [, type = '', value = ''] = part
    found.push([type.trim(), value.startsWith('"') ? unquoted(value) : value])
  }
  return found
}

function unquoted(json: string): string {
  try {
    return String(JSON.parse(json))
  } catch {
    return ''
  }
}

const isDomain = (name: string): boolean => /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(name)
const lower = (name: string): string => name.toLowerCase()
