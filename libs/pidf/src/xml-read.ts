import { XML } from './namespaces.ts'

/** An element with its namespace resolved. `raw` is its own text, references not yet decoded (CDATA is escaped into it). */
export interface XmlElement {
  readonly namespace: string
  readonly name: string
  readonly attributes: readonly XmlAttribute[]
  readonly children: readonly XmlElement[]
  readonly raw: string
}

export interface XmlAttribute {
  readonly namespace: string
  readonly name: string
  readonly value: string
}

export type XmlRefusal = 'too-large' | 'too-deep' | 'doctype' | 'not-well-formed'
export type XmlOutcome =
  | { readonly kind: 'ok'; readonly root: XmlElement }
  | { readonly kind: 'refused'; readonly reason: XmlRefusal; readonly detail: string }

/** Bounds of one document; lengths are in UTF-16 code units. */
export interface XmlLimits {
  readonly length: number
  readonly depth: number
  readonly elements: number
  readonly attributes: number
}

export const defaultXmlLimits: XmlLimits = { length: 65_536, depth: 32, elements: 4096, attributes: 64 }

const NAME_START =
  'A-Z_a-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}\\u{200D}\\u{2070}-\\u{218F}\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}'
const NC_NAME = `[${NAME_START}][${NAME_START}\\-.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}\\u{2040}]*`
const Q_NAME = `(?:(${NC_NAME}):)?(${NC_NAME})`
const NOT_CHAR = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u
const DECLARATION =
  /^<\?xml[ \t\n]+version[ \t\n]*=[ \t\n]*(?:"1\.[0-9]"|'1\.[0-9]')(?:[ \t\n]+encoding[ \t\n]*=[ \t\n]*(?:"[A-Za-z][\w.-]*"|'[A-Za-z][\w.-]*'))?(?:[ \t\n]+standalone[ \t\n]*=[ \t\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\n]*\?>/
const REFERENCE = /&(?:#x([0-9A-Fa-f]{1,8})|#([0-9]{1,8})|(amp|lt|gt|quot|apos));/g
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

class Refusal {
  readonly reason: XmlRefusal
  readonly detail: string
  constructor(reason: XmlRefusal, detail: string) {
    this.reason = reason
    this.detail = detail
  }
}

type Scope = ReadonlyMap<string, string>
interface Open {
  readonly qName: string
  readonly scope: Scope
  readonly element: { namespace: string; name: string; attributes: XmlAttribute[]; children: XmlElement[]; raw: string }
}

/** Reads a whole document. Never throws. A DOCTYPE is refused before anything of it is looked at; no entity is ever expanded. */
export function readXml(text: string, limits: XmlLimits = defaultXmlLimits): XmlOutcome {
  if (text.length > limits.length)
    return { kind: 'refused', reason: 'too-large', detail: `more than ${limits.length} characters` }
  try {
    return { kind: 'ok', root: new Reader(text, limits).document() }
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', reason: error.reason, detail: error.detail }
    throw error
  }
}

class Reader {
  private readonly text: string
  private readonly limits: XmlLimits
  private at = 0
  private elements = 0
  private readonly tagName = new RegExp(Q_NAME, 'uy')
  private readonly attribute = new RegExp(`[ \\t\\n]+(?:${Q_NAME})[ \\t\\n]*=[ \\t\\n]*(?:"([^"<]*)"|'([^'<]*)')`, 'uy')

  constructor(text: string, limits: XmlLimits) {
    // XML 1.0 2.11: line ends are read as one line feed; a byte order mark is not part of the document
    this.text = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n')
    this.limits = limits
  }

  document(): XmlElement {
    const bad = NOT_CHAR.exec(this.text)
    if (bad) throw this.malformed(`a character that XML does not allow at ${bad.index}`)
    this.at = DECLARATION.exec(this.text)?.[0].length ?? 0
    this.misc()
    if (this.text[this.at] !== '<') throw this.malformed('no element')
    const root = this.tree()
    this.misc()
    if (this.at < this.text.length) throw this.malformed('something follows the root element')
    return root
  }

  private tree(): XmlElement {
    const stack: Open[] = []
    for (;;) {
      const open = stack.at(-1)
      if (open) this.characterData(open)
      if (this.text.startsWith('</', this.at)) {
        const done = this.close(stack)
        if (stack.length === 0) return done
        continue
      }
      const started = this.open(open?.scope ?? rootScope)
      open?.element.children.push(started.element)
      if (started.empty) {
        if (!open) return started.element
        continue
      }
      if (stack.push(started) > this.limits.depth) throw new Refusal('too-deep', `deeper than ${this.limits.depth}`)
    }
  }

  /** Text, comments, CDATA and processing instructions up to the next tag. */
  private characterData(open: Open): void {
    for (;;) {
      const next = this.text.indexOf('<', this.at)
      if (next < 0) throw this.malformed(`<${open.qName}> is never closed`)
      const run = this.text.slice(this.at, next)
      if (run.includes(']]>')) throw this.malformed(']]> in text')
      checkReferences(run)
      open.element.raw += run
      this.at = next
      if (this.text.startsWith('<![CDATA[', this.at)) {
        const end = this.text.indexOf(']]>', this.at)
        if (end < 0) throw this.malformed('a CDATA section is never closed')
        open.element.raw += this.text.slice(this.at + 9, end).replace(/&/g, '&amp;')
        this.at = end + 3
      } else if (!this.skipped()) return
    }
  }

  private open(scope: Scope): Open & { readonly empty: boolean } {
    this.at++
    this.tagName.lastIndex = this.at
    const tag = this.tagName.exec(this.text)
    if (!tag) throw this.malformed(`no name after < at ${this.at}`)
    if (++this.elements > this.limits.elements) throw new Refusal('too-large', 'too many elements')
    this.at = this.tagName.lastIndex
    const pairs = this.attributes()
    const inner = declare(scope, pairs)
    const attributes = resolve(pairs, inner)
    this.skipSpace()
    const empty = this.text[this.at] === '/'
    if (empty) this.at++
    if (this.text[this.at] !== '>') throw this.malformed(`a tag is not closed at ${this.at}`)
    this.at++
    const element = { namespace: lookUp(inner, tag[1] ?? ''), name: tag[2] ?? '', attributes, children: [], raw: '' }
    return { qName: tag[0], scope: inner, element, empty }
  }

  private attributes(): Pair[] {
    const pairs: Pair[] = []
    for (;;) {
      this.attribute.lastIndex = this.at
      const found = this.attribute.exec(this.text)
      if (!found) return pairs
      this.at = this.attribute.lastIndex
      const raw = found[3] ?? found[4] ?? ''
      checkReferences(raw)
      // XML 1.0 3.3.3: a literal tab or line end in a value is a space; a referenced one stays
      pairs.push({ prefix: found[1] ?? '', name: found[2] ?? '', value: decode(raw.replace(/[\t\n]/g, ' ')) })
      if (pairs.length > this.limits.attributes) throw new Refusal('too-large', 'too many attributes')
    }
  }

  private close(stack: Open[]): XmlElement {
    const open = stack.pop()
    const end = this.text.indexOf('>', this.at)
    // trimEnd and not an expression: a long run of white space must not cost its square
    const name = end < 0 ? '' : this.text.slice(this.at + 2, end).trimEnd()
    if (!open || open.qName !== name) throw this.malformed(`</${name}> does not close <${open?.qName ?? ''}>`)
    this.at = end + 1
    return open.element
  }

  /** A comment or a processing instruction at this place is stepped over. */
  private skipped(): boolean {
    if (this.text.startsWith('<!--', this.at)) {
      const end = this.text.indexOf('--', this.at + 4)
      if (end < 0 || this.text[end + 2] !== '>') throw this.malformed('a comment is not closed or holds --')
      this.at = end + 3
      return true
    }
    if (this.text.startsWith('<!DOCTYPE', this.at)) throw new Refusal('doctype', 'a DOCTYPE is not accepted')
    if (this.text.startsWith('<!', this.at)) throw this.malformed('a declaration inside the document')
    if (!this.text.startsWith('<?', this.at)) return false
    this.tagName.lastIndex = this.at + 2
    const target = this.tagName.exec(this.text)
    const end = this.text.indexOf('?>', this.at)
    if (!target || target[1] !== undefined || /^xml$/i.test(target[0]) || end < 0)
      throw this.malformed('a processing instruction is not accepted here')
    if (this.tagName.lastIndex !== end && !/[ \t\n]/.test(this.text[this.tagName.lastIndex] ?? ''))
      throw this.malformed('a processing instruction without a space after its name')
    this.at = end + 2
    return true
  }

  private misc(): void {
    do this.skipSpace()
    while (this.skipped())
  }

  private skipSpace(): void {
    while (' \t\n'.includes(this.text[this.at] ?? 'x')) this.at++
  }

  private malformed(detail: string): Refusal {
    return new Refusal('not-well-formed', detail)
  }
}

interface Pair {
  readonly prefix: string
  readonly name: string
  readonly value: string
}

const XMLNS = 'http://www.w3.org/2000/xmlns/'
const rootScope: Scope = new Map([['xml', XML]])

function declare(scope: Scope, pairs: readonly Pair[]): Scope {
  const declarations = pairs.filter((p) => p.prefix === 'xmlns' || (p.prefix === '' && p.name === 'xmlns'))
  if (declarations.length === 0) return scope
  const inner = new Map(scope)
  for (const { prefix, name, value } of declarations) {
    const key = prefix === '' ? '' : name
    // Namespaces in XML 1.0 3: xml and xmlns are fixed; only the default namespace may be undeclared
    const reserved = key === 'xmlns' || value === XMLNS || (key === 'xml') !== (value === XML)
    if (reserved || (key !== '' && value === ''))
      throw new Refusal('not-well-formed', 'a namespace declaration is not allowed')
    inner.set(key, value)
  }
  return inner
}

function resolve(pairs: readonly Pair[], scope: Scope): XmlAttribute[] {
  const attributes: XmlAttribute[] = []
  const seen = new Set<string>()
  for (const { prefix, name, value } of pairs) {
    const declaration = prefix === 'xmlns' || (prefix === '' && name === 'xmlns')
    const namespace = declaration ? XMLNS : prefix === '' ? '' : lookUp(scope, prefix)
    const key = `${prefix === '' ? '' : namespace} ${name}`
    if (seen.has(key)) throw new Refusal('not-well-formed', `the attribute ${name} is repeated`)
    seen.add(key)
    if (!declaration) attributes.push({ namespace, name, value })
  }
  return attributes
}

function lookUp(scope: Scope, prefix: string): string {
  const namespace = scope.get(prefix)
  if (namespace === undefined && prefix !== '')
    throw new Refusal('not-well-formed', `the prefix ${prefix} is not declared`)
  return namespace ?? ''
}

function checkReferences(raw: string): void {
  if (!raw.includes('&')) return
  const rest = raw.replace(REFERENCE, (_whole, hex?: string, decimal?: string) => {
    if (hex === undefined && decimal === undefined) return ''
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff && !NOT_CHAR.test(String.fromCodePoint(code)) ? '' : '&'
  })
  if (rest.includes('&')) throw new Refusal('not-well-formed', 'a reference that is not one of the five or a character')
}

function decode(raw: string): string {
  if (!raw.includes('&')) return raw
  return raw.replace(REFERENCE, (_whole, hex?: string, decimal?: string, named?: string) =>
    named === undefined
      ? String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16))
      : (NAMED[named] ?? ''),
  )
}

/** The text of an element as it stands. */
export function textOf(element: XmlElement): string {
  return decode(element.raw)
}

/** The text as an xs:token. RFC 5139 3.6: white space is collapsed, except where it is written as a character reference. */
export function tokenOf(element: XmlElement): string {
  return decode(element.raw.replace(/[ \t\n]+/g, ' ').replace(/^ | $/g, ''))
}

export function attributeOf(element: XmlElement, name: string, namespace = ''): string | undefined {
  return element.attributes.find((a) => a.name === name && a.namespace === namespace)?.value
}

export function childOf(element: XmlElement, namespace: string, name: string): XmlElement | undefined {
  return element.children.find((c) => c.name === name && c.namespace === namespace)
}

export function childrenOf(element: XmlElement, namespace: string, name: string): readonly XmlElement[] {
  return element.children.filter((c) => c.name === name && c.namespace === namespace)
}
