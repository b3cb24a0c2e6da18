/** Building blocks of the writers: every text that comes from outside goes through `text`, `token` or `attributes`. */

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

const NOT_CHAR = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu

/** True when XML 1.0 can carry every character of `value`. */
export function isXmlText(value: string): boolean {
  return value.search(NOT_CHAR) < 0
}

/** Text content; what XML cannot carry becomes U+FFFD, so that no writer ever makes a document that is not well-formed. */
export function text(value: string): string {
  return value
    .replace(NOT_CHAR, '\uFFFD')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/\r/g, '&#xD;')
}

/** An xs:token that reads back byte-equal. RFC 5139 3.6: white space that would be collapsed is written as a reference. */
export function token(value: string): string {
  return text(value).replace(/^ +| +$|[\t\n]| {2,}/g, (run) =>
    Array.from(run, (c) => `&#x${c.charCodeAt(0).toString(16).toUpperCase()};`).join(''),
  )
}

function attributeText(value: string): string {
  return text(value).replace(/"/g, '&quot;').replace(/\t/g, '&#x9;').replace(/\n/g, '&#xA;')
}

export type Attributes = Readonly<Record<string, string | number | undefined>>

/** One element. `content` is XML already; without content the tag closes itself. Attributes that are undefined are left out. */
export function element(
  name: string,
  attributes: Attributes = {},
  ...content: readonly (string | undefined)[]
): string {
  let open = `<${name}`
  for (const [key, value] of Object.entries(attributes))
    if (value !== undefined) open += ` ${key}="${attributeText(String(value))}"`
  const inner = content.join('')
  return inner === '' ? `${open}/>` : `${open}>${inner}</${name}>`
}

/** xs:ID and xs:NCName, in the ASCII part that we write. */
export function isNcName(value: string): boolean {
  return /^[A-Za-z_][\w.-]*$/.test(value)
}

/** xs:dateTime with a zone, as RFC 3339 has it; the calendar is checked too. */
export function isDateTime(value: string): boolean {
  return (
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(value) &&
    !Number.isNaN(Date.parse(value)) &&
    realDay(value)
  )
}

function realDay(value: string): boolean {
  const [year, month, day] = value.slice(0, 10).split('-').map(Number) as [number, number, number]
  return year > 0 && new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day
}
