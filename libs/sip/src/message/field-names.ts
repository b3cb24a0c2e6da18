/** The header fields known by number, so that finding one costs no comparing of text. */

/** Fields the parser itself looks at come first: their numbers fit in a bit mask. 0 is any field not listed. */
const NAMES = [
  'Via',
  'From',
  'To',
  'Call-ID',
  'CSeq',
  'Max-Forwards',
  'Content-Length',
  'Content-Type',
  'Expires',
  'Date',
  'Contact',
  'Route',
  'Record-Route',
  'Accept',
  'Accept-Contact',
  'Accept-Encoding',
  'Accept-Language',
  'Alert-Info',
  'Allow',
  'Allow-Events',
  'Authorization',
  'Authentication-Info',
  'Call-Info',
  'Content-Disposition',
  'Content-Encoding',
  'Content-ID',
  'Content-Language',
  'Diversion',
  'Error-Info',
  'Event',
  'Flow-Timer',
  'Geolocation',
  'Geolocation-Routing',
  'History-Info',
  'Identity',
  'Identity-Info',
  'In-Reply-To',
  'Info-Package',
  'Join',
  'MIME-Version',
  'Min-Expires',
  'Min-SE',
  'Organization',
  'P-Access-Network-Info',
  'P-Asserted-Identity',
  'P-Associated-URI',
  'P-Charging-Vector',
  'P-Early-Media',
  'P-Preferred-Identity',
  'Path',
  'Priority',
  'Privacy',
  'Proxy-Authenticate',
  'Proxy-Authorization',
  'Proxy-Require',
  'RAck',
  'Reason',
  'Recv-Info',
  'Refer-To',
  'Referred-By',
  'Reject-Contact',
  'Remote-Party-ID',
  'Replaces',
  'Reply-To',
  'Request-Disposition',
  'Require',
  'Resource-Priority',
  'Retry-After',
  'RSeq',
  'Server',
  'Service-Route',
  'Session-Expires',
  'Session-ID',
  'SIP-ETag',
  'SIP-If-Match',
  'Subject',
  'Subscription-State',
  'Supported',
  'Target-Dialog',
  'Timestamp',
  'Unsupported',
  'User-Agent',
  'Warning',
  'WWW-Authenticate',
] as const

export const VIA = 1
export const FROM = 2
export const TO = 3
export const CALL_ID = 4
export const CSEQ = 5
export const MAX_FORWARDS = 6
export const CONTENT_LENGTH = 7
export const CONTENT_TYPE = 8
export const EXPIRES = 9
export const DATE = 10
export const CONTACT = 11
export const ROUTE = 12
export const RECORD_ROUTE = 13

/** RFC 3261 7.3.3 and the registry of compact forms. */
const COMPACT: Readonly<Record<string, (typeof NAMES)[number]>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
}

/** Name in any spelling met so far -> number. Filled below; later spellings come from the network: bounded. */
const numbers = new Map<string, number>()
const MAX_SPELLINGS = 1024

/** Known names by length and first letter: most names are found without making a string. */
const buckets: (readonly { readonly name: string; readonly number: number }[] | undefined)[] = []

NAMES.forEach((name, index) => {
  remember(name, index + 1)
  numbers.set(name.toLowerCase(), index + 1)
})
for (const [letter, name] of Object.entries(COMPACT)) {
  remember(letter, NAMES.indexOf(name) + 1)
  numbers.set(letter.toUpperCase(), NAMES.indexOf(name) + 1)
}

function remember(name: string, number: number): void {
  numbers.set(name, number)
  const slot = bucketOf(name.length, name.charCodeAt(0))
  buckets[slot] = [...(buckets[slot] ?? []), { name, number }]
}

function bucketOf(length: number, first: number): number {
  return (length << 5) | (first & 31)
}

/** The number of a field name in any case or compact form; 0 when it is not in the list. */
export function fieldNumber(name: string): number {
  const known = numbers.get(name)
  if (known !== undefined) return known
  const number = numbers.get(name.toLowerCase()) ?? 0
  // A long name is not worth the memory, and an unknown one is compared as text anyway.
  if (number > 0 && numbers.size < MAX_SPELLINGS) numbers.set(name, number)
  return number
}

/** The listed name that stands in `text` from `start` to `end` in its usual spelling, as one shared string. */
export function usualName(
  text: string,
  start: number,
  end: number,
): { readonly name: string; readonly number: number } | undefined {
  const bucket = buckets[bucketOf(end - start, text.charCodeAt(start))]
  if (bucket === undefined) return undefined
  for (const known of bucket) if (text.startsWith(known.name, start)) return known
  return undefined
}
